import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension RNN: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try FloatRecurrentKernel(self, request)?.plan { step in
      for n in 0..<step.batch {
        let x = step.input + n * step.inputPitch
        let r = step.recurrent + n * step.hidden
        let h = step.h + n * step.hidden
        for i in 0..<step.hidden {
          h[i] = (x[i] + step.bias[i]) + (r[i] + step.bias[step.hidden + i])
        }
        step.tier.apply(.tanh, count: step.hidden, h, to: h)
      }
    }
  }
}
