import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension GRU: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let resetsAfter = resetsAfter
    return try FloatRecurrentKernel(self, request)?.plan { step in
      GRU.step(step, resetsAfter: resetsAfter)
    }
  }

  private static func step(_ step: FloatRecurrentStep, resetsAfter: Bool) {
    let (units, rows) = (step.hidden, 3 * step.hidden)
    let bias = step.bias
    let recurrentBias = step.bias + rows
    // After the states there is room for two rows of hidden units for each of the batch.
    let reset = step.c
    let product = step.c + step.batch * units
    for n in 0..<step.batch {
      let x = step.input + n * step.inputPitch
      let r = step.recurrent + n * rows
      for i in 0..<2 * units { x[i] = (x[i] + bias[i]) + (r[i] + recurrentBias[i]) }
      step.tier.apply(.sigmoid, count: 2 * units, x, to: x)
      guard !resetsAfter else { continue }
      let h = step.h + n * units
      for i in 0..<units { reset[n * units + i] = x[units + i] * h[i] }
    }
    if !resetsAfter { step.multiply(2, reset, product) }
    for n in 0..<step.batch {
      let z = step.input + n * step.inputPitch
      let candidate = z + 2 * units
      if resetsAfter {
        let r = step.recurrent + n * rows + 2 * units
        for i in 0..<units {
          candidate[i] =
            (candidate[i] + bias[2 * units + i]) + z[units + i]
            * (r[i] + recurrentBias[2 * units + i])
        }
      } else {
        let r = product + n * units
        for i in 0..<units {
          candidate[i] =
            (candidate[i] + bias[2 * units + i]) + (r[i] + recurrentBias[2 * units + i])
        }
      }
      step.tier.apply(.tanh, count: units, candidate, to: candidate)
      let h = step.h + n * units
      for i in 0..<units { h[i] = (1 - z[i]) * candidate[i] + z[i] * h[i] }
    }
  }
}
