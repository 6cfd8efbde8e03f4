import TensorCore

/// A rule by which parameters follow their gradients, in float32 with PyTorch's order of operations.
package protocol Optimizer: Sendable {
  /// One step: `values` are changed in place.
  ///
  /// - Parameters:
  ///   - values: the elements of every parameter, in an order that stays.
  ///   - gradients: as many.
  mutating func step(_ values: inout [[Float]], _ gradients: [[Float]])
}

/// Adam as `torch.optim.Adam` has it, without AMSGrad.
package struct Adam: Optimizer {
  package var rate: Double
  package var beta1: Double
  package var beta2: Double
  package var epsilon: Double
  /// Added to the gradient, times the parameter.
  package var decay: Double
  private var steps = 0
  private var means: [[Float]] = []
  private var squares: [[Float]] = []

  package init(
    rate: Double = 1e-3, beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8,
    decay: Double = 0
  ) {
    self.rate = rate
    self.beta1 = beta1
    self.beta2 = beta2
    self.epsilon = epsilon
    self.decay = decay
  }

  package mutating func step(_ values: inout [[Float]], _ gradients: [[Float]]) {
    if steps == 0 {
      means = values.map { [Float](repeating: 0, count: $0.count) }
      squares = means
    }
    steps += 1
    let stepSize = Float(-rate / (1 - power(beta1, steps)))
    let correction = Float((1 - power(beta2, steps)).squareRoot())
    let (share1, keep2, share2) = (Float(1 - beta1), Float(beta2), Float(1 - beta2))
    let (epsilon, decay) = (Float(epsilon), Float(decay))
    for index in values.indices {
      for place in values[index].indices {
        var gradient = gradients[index][place]
        if decay != 0 { gradient += decay * values[index][place] }
        let mean = means[index][place]
        means[index][place] = mean + share1 * (gradient - mean)
        squares[index][place] = squares[index][place] * keep2 + share2 * gradient * gradient
        let divisor = squares[index][place].squareRoot() / correction + epsilon
        values[index][place] += stepSize * means[index][place] / divisor
      }
    }
  }

  /// Repeated multiplication: the same bits everywhere.
  private func power(_ base: Double, _ exponent: Int) -> Double {
    (0..<exponent).reduce(1) { product, _ in product * base }
  }
}

/// Stochastic gradient descent as `torch.optim.SGD` has it.
package struct SGD: Optimizer {
  package var rate: Double
  package var momentum: Double
  package var dampening: Double
  package var decay: Double
  package var nesterov: Bool
  private var velocities: [[Float]] = []

  package init(
    rate: Double = 1e-3, momentum: Double = 0, dampening: Double = 0, decay: Double = 0,
    nesterov: Bool = false
  ) {
    self.rate = rate
    self.momentum = momentum
    self.dampening = dampening
    self.decay = decay
    self.nesterov = nesterov
  }

  package mutating func step(_ values: inout [[Float]], _ gradients: [[Float]]) {
    let isFirst = velocities.isEmpty
    if isFirst, momentum != 0 { velocities = gradients }
    let (rate, momentum, share) = (Float(-rate), Float(momentum), Float(1 - dampening))
    let decay = Float(decay)
    for index in values.indices {
      for place in values[index].indices {
        var gradient = gradients[index][place]
        if decay != 0 { gradient += decay * values[index][place] }
        if momentum != 0 {
          var velocity = gradient
          if !isFirst { velocity = velocities[index][place] * momentum + share * gradient }
          velocities[index][place] = velocity
          gradient = nesterov ? gradient + momentum * velocity : velocity
        }
        values[index][place] += rate * gradient
      }
    }
  }
}
