import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension GRU: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let resetsAfter = resetsAfter
    return try FloatRecurrentKernel(self, request)?.plan(lastGateApart: !resetsAfter) { step in
      GRU.step(step, resetsAfter: resetsAfter)
    }
  }

  private static func step(_ step: FloatRecurrentStep, resetsAfter: Bool) {
    let (units, rows) = (step.hidden, 3 * step.hidden)
    let bias = step.bias
    let recurrentBias = step.bias + rows
    // A layer without a cell state has room for one.
    let reset = step.c
    for n in 0..<step.batch {
      let x = step.input + n * step.inputPitch
      let r = step.recurrent + n * rows
      for i in 0..<2 * units { x[i] = (x[i] + bias[i]) + (r[i] + recurrentBias[i]) }
      step.tier.apply(.sigmoid, count: 2 * units, x, to: x)
      guard !resetsAfter else { continue }
      let h = step.h + n * units
      for i in 0..<units { reset[n * units + i] = x[units + i] * h[i] }
    }
    if !resetsAfter { step.multiplyLast(reset) }
    for n in 0..<step.batch {
      let z = step.input + n * step.inputPitch
      let candidate = z + 2 * units
      let r = step.recurrent + n * rows + 2 * units
      for i in 0..<units {
        let (x, h) = (candidate[i] + bias[2 * units + i], r[i] + recurrentBias[2 * units + i])
        candidate[i] = x + (resetsAfter ? z[units + i] * h : h)
      }
      step.tier.apply(.tanh, count: units, candidate, to: candidate)
      let h = step.h + n * units
      for i in 0..<units { h[i] = (1 - z[i]) * candidate[i] + z[i] * h[i] }
    }
  }
}
