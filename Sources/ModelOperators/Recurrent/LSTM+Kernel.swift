import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension LSTM: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard !couplesForget else { return nil }
    return try FloatRecurrentKernel(self, request)?.plan { LSTM.step($0) }
  }

  private static func step(_ step: FloatRecurrentStep) {
    let (units, rows) = (step.hidden, 4 * step.hidden)
    for n in 0..<step.batch {
      let x = step.input + n * step.inputPitch
      let r = step.recurrent + n * rows
      for i in 0..<rows { x[i] = (x[i] + step.bias[i]) + (r[i] + step.bias[rows + i]) }
      step.tier.apply(.sigmoid, count: 3 * units, x, to: x)
      let candidate = x + 3 * units
      step.tier.apply(.tanh, count: units, candidate, to: candidate)
      let (h, c) = (step.h + n * units, step.c + n * units)
      for i in 0..<units { c[i] = x[2 * units + i] * c[i] + x[i] * candidate[i] }
      step.tier.apply(.tanh, count: units, c, to: candidate)
      for i in 0..<units { h[i] = x[units + i] * candidate[i] }
    }
  }
}
