import ModelIR
import TensorCore

/// What becomes of the losses of all elements.
package enum LossReduction: String, StringAttribute { case none, mean, sum }

/// What losses over classes have in common: which element of a line of scores counts, and how much.
///
/// Scores are [N, C, …], targets [N, …]. Clauses `LO1`… of `formats/operators.md`.
struct ClassLosses {
  let reduction: LossReduction
  let ignored: Int?

  /// The loss's dimensions.
  func infer(
    _ scores: Fact, _ target: Fact, _ weight: Fact?
  ) throws(ModelError) -> TensorType {
    guard scores.element.isFloatingPoint, target.element == .int32 || target.element == .int64,
      weight == nil || weight?.element == scores.element
    else {
      throw ModelError(.typeMismatch, "LO1: a loss of \(scores.element) at \(target.element)")
    }
    let (x, y) = (try scores.dimensions(), try target.dimensions())
    guard x.count >= 2, y.count == x.count - 1, y[0].mayEqual(x[0]),
      zip(y.dropFirst(), x.dropFirst(2)).allSatisfy({ $0.mayEqual($1) })
    else { throw ModelError(.shapeMismatch, "LO2: scores of \(scores.type) for \(target.type)") }
    if let weight {
      let extents = try weight.dimensions()
      guard extents.count == 1, extents[0].mayEqual(x[1]) else {
        throw ModelError(.shapeMismatch, "LO3: weights of \(weight.type) for \(scores.type)")
      }
    }
    guard reduction == .none else { return TensorType(scores.element, [Dimension]()) }
    let merged =
      [y[0].merged(with: x[0])]
      + zip(y.dropFirst(), x.dropFirst(2)).map {
        $0.merged(with: $1)
      }
    return TensorType(scores.element, merged)
  }

  /// The losses −w·x of the targets' logarithms `x`, reduced.
  func loss(
    logarithms x: [Double], _ shape: Shape, _ target: Tensor, _ weight: Tensor?,
    element: ElementType
  ) throws(ModelError) -> Tensor {
    let (classes, inner) = (shape[1], shape.count(2..<shape.rank))
    let weights = weight?.doubles()
    var losses: [Double] = []
    var total = 0.0
    for (place, value) in target.integers().enumerated() {
      guard Int(value) != ignored else {
        losses.append(0)
        continue
      }
      guard value >= 0, value < classes else {
        throw ModelError(.invalidValue, "LO4: class \(value) of \(classes)")
      }
      let (row, column) = (place / inner, place % inner)
      let factor = weights?[Int(value)] ?? 1
      total += factor
      losses.append(-factor * x[(row * classes + Int(value)) * inner + column])
    }
    switch reduction {
    case .none: return Tensor(element, target.shape, doubles: losses)
    case .sum: return Tensor(element, try Shape([]), doubles: [losses.reduce(0, +)])
    case .mean: return Tensor(element, try Shape([]), doubles: [losses.reduce(0, +) / total])
    }
  }
}

extension ForeignNode {
  /// The reduction and the class that does not count.
  func lossAttributes() throws(ModelError) -> (LossReduction, Int?) {
    let name: String = try attribute("reduction", default: "mean")
    guard let reduction = LossReduction(rawValue: name) else {
      throw ModelError(.unsupportedAttribute, "LO5: a reduction by '\(name)'")
    }
    return (reduction, try optional("ignore_index"))
  }
}
