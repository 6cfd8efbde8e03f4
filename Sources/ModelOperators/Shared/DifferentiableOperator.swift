import ModelIR
import TensorCore

/// An operator with a gradient: what a loss changes by when an operand does, as nodes of the same graph
/// (`GR1`…`GR4` of `formats/operators.md`).
package protocol DifferentiableOperator: Operator {
  /// The gradients of the loss by the operands, made of those by the outputs; nil for an operand that has
  /// none, and for one that nobody asks for. Shapes are concrete.
  ///
  /// - Throws: `unsupported-feature` for attributes without a gradient.
  func gradients(at site: GradientSite) throws(ModelError) -> [Term?]
}

/// A map of single elements with a derivative.
package protocol DifferentiableUnaryOperator: UnaryOperator, DifferentiableOperator {
  /// dy/dx.
  func derivative(x: Term, y: Term) throws(ModelError) -> Term
}

extension DifferentiableUnaryOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let slope = try derivative(x: site.operand(0), y: site.output())
    return [try site.gradient() * slope]
  }
}

/// A reduction with a derivative.
package protocol DifferentiableReduction: ReductionOperator, DifferentiableOperator {
  /// dy/dx, broadcasting to x. `y` keeps the reduced axes as ones; each of its elements is made of `count`.
  func derivative(x: Term, y: Term, axes: [Int], count: Int) throws(ModelError) -> Term
}

extension DifferentiableReduction {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let x = try site.operand(0)
    let shape = try x.shape
    let axes = try reduced(site.fact(1), rank: shape.rank)
    var kept = shape.dimensions
    for axis in axes { kept[axis] = 1 }
    let keptShape = try Shape(kept)
    let count = axes.reduce(1) { $0 * shape[$1] }
    let slope = try derivative(
      x: x, y: site.output().reshaped(to: keptShape), axes: axes, count: count)
    return [try (site.gradient().reshaped(to: keptShape) * slope).expanded(to: shape)]
  }
}

/// A node whose gradient is being made: its operands, its outputs and the gradients by these.
package final class GradientSite {
  /// The graph that the gradient's nodes are appended to.
  package private(set) var graph: Graph
  private let node: Node
  private let byOutputs: [ValueID?]
  private let wanted: [Bool]

  /// - Parameters:
  ///   - byOutputs: the gradients by the node's outputs; nil where the loss does not depend on one.
  ///   - wanted: of which operands a gradient is asked for.
  package init(_ node: Node, in graph: Graph, byOutputs: [ValueID?], wanted: [Bool]) {
    self.node = node
    self.graph = graph
    self.byOutputs = byOutputs
    self.wanted = wanted
  }

  /// Whether the gradient by operand `index` is asked for.
  package func wants(_ index: Int) -> Bool { index < wanted.count && wanted[index] }

  package var operandCount: Int { node.inputs.count }

  package func operand(_ index: Int) throws(ModelError) -> Term {
    guard index < node.inputs.count, let id = node.inputs[index] else {
      throw ModelError(.invalidValue, "operand \(index) is missing")
    }
    return Term(id, at: self)
  }

  package func fact(_ index: Int) -> Fact? {
    index < node.inputs.count ? node.inputs[index].map { graph.fact($0) } : nil
  }

  package func output(_ index: Int = 0) -> Term { Term(node.outputs[index], at: self) }

  /// The gradient by output `index`; zeros where the loss does not depend on it.
  package func gradient(_ index: Int = 0) throws(ModelError) -> Term {
    if let id = byOutputs[index] { return Term(id, at: self) }
    return try output(index).filled(with: 0)
  }

  /// Whether the loss depends on output `index`.
  package func hasGradient(_ index: Int) -> Bool {
    index < byOutputs.count && byOutputs[index] != nil
  }

  func constant(_ tensor: Tensor) -> Term {
    Term(graph.addConstant(tensor, named: "\(node.name).gradient.constant"), at: self)
  }

  /// A vector of extents, axes or indices.
  func indices(_ values: [Int]) -> Term { constant(Tensor(vector: values.map { Int64($0) })) }

  func apply(_ op: any Operator, _ operands: [Term?]) throws(ModelError) -> Term {
    Term(
      try graph.append(
        op, named: "\(node.name).gradient", to: operands.map { $0?.id }, origin: node.origin)[0],
      at: self)
  }

  /// Every output of `op`.
  func outputs(of op: any Operator, _ operands: Term?...) throws(ModelError) -> [Term] {
    try graph.append(
      op, named: "\(node.name).gradient", to: operands.map { $0?.id }, origin: node.origin
    ).map { Term($0, at: self) }
  }

  /// The gradients of an operator whose output is one of its operands, element by element; where several are,
  /// they share alike.
  func gradientsOfChosen() throws(ModelError) -> [Term?] {
    let y = output()
    let chosen = try (0..<operandCount).map { (index) throws(ModelError) in
      try operand(index).equals(y)
    }
    guard var count = chosen.first else { return [] }
    for other in chosen.dropFirst() { count = try count + other }
    let share = try gradient() / count
    return try chosen.enumerated().map { (index, own) throws(ModelError) in
      try (share * own).reduced(to: operand(index).shape)
    }
  }
}
