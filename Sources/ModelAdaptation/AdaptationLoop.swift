import TensorCore

/// Parameters that follow the gradient of an ``ImageObjective`` for a few steps.
package struct AdaptationLoop: Sendable {
  /// Which forward pass is the answer.
  package enum Answer: String, Sendable, CaseIterable {
    /// The last step's, before its update: as published.
    case lastForward = "last-forward"
    /// One more, after the last update.
    case afterUpdate = "after-update"
  }

  package var steps: Int
  package var answer: Answer

  package init(steps: Int, answer: Answer = .lastForward) {
    self.steps = steps
    self.answer = answer
  }

  /// Why an adaptation is not to be used.
  package enum Failure: String, Sendable {
    case notFinite = "the loss is not a number"
    case diverged = "the loss went up"
  }

  package struct Outcome: Sendable {
    /// Before each step's update.
    package let losses: [Double]
    /// The answer before any update, and the one that was asked for.
    package let before: ImagePlanes
    package let after: ImagePlanes
    /// The parameters that gave ``after``.
    package let values: [[Float]]
    package let failure: Failure?
  }

  /// - Parameters:
  ///   - images: the objective's images; asked for before each step.
  package func run(
    _ objective: inout ImageObjective, from values: [[Float]], by optimizer: any Optimizer,
    images: () throws(ModelError) -> [String: ImagePlanes],
    observe: (_ step: Int) -> Void = { _ in }
  ) throws(ModelError) -> Outcome {
    var (values, optimizer) = (values, optimizer)
    var losses: [Double] = []
    var before: ImagePlanes?
    var after: ImagePlanes?
    var failure: Failure?
    for step in 0..<steps {
      observe(step)
      let isLast = step == steps - 1
      let updates = !isLast || answer == .afterUpdate
      let made = try objective.evaluate(
        values, on: images(), gradients: updates, image: step == 0 || isLast)
      losses.append(made.loss)
      if step == 0 { before = made.image }
      if isLast { after = made.image }
      guard made.loss.isFinite, made.gradients.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
        failure = .notFinite
        break
      }
      if updates { optimizer.step(&values, made.gradients) }
    }
    if failure == nil, answer == .afterUpdate {
      let made = try objective.evaluate(values, on: images(), gradients: false, image: true)
      losses.append(made.loss)
      after = made.image
      if !made.loss.isFinite { failure = .notFinite }
    }
    if failure == nil, let first = losses.first, let last = losses.last, last > first {
      failure = .diverged
    }
    guard let before else { throw ModelError(.invalidValue, "an adaptation of \(steps) steps") }
    return Outcome(
      losses: losses, before: before, after: failure == nil ? after ?? before : before,
      values: values, failure: failure)
  }
}
