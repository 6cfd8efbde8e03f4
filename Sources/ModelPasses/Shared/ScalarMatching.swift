import ModelIR
import ModelOperators
import TensorCore

/// A product whose constant scalars are multiplied together.
struct Product {
  var factor = 1.0
  /// The other factors.
  var terms: [ValueID] = []

  static func * (a: Product, b: Product) -> Product {
    Product(factor: a.factor * b.factor, terms: a.terms + b.terms)
  }
}

extension Graph {
  /// The one element of a float constant.
  func scalar(_ id: ValueID?) -> Double? {
    guard let id, let tensor = constant(id), tensor.count == 1, tensor.element.isFloatingPoint,
      tensor.quantization == nil
    else { return nil }
    return tensor.doubles()[0]
  }

  /// The operand of a node that is not its scalar, and the scalar; the scalar on either side.
  func scalarPair(_ operands: [ValueID?]) -> (value: ValueID, scalar: Double)? {
    guard operands.count == 2, let a = operands[0], let b = operands[1] else { return nil }
    if let scalar = scalar(b) { return (a, scalar) }
    if let scalar = scalar(a) { return (b, scalar) }
    return nil
  }

  /// What `id` is a product of. Values in `stop` are factors and not looked into.
  func product(_ id: ValueID, stop: Set<ValueID> = [], depth: Int = 6) -> Product {
    if let scalar = scalar(id) { return Product(factor: scalar) }
    guard depth > 0, !stop.contains(id), let node = producer(of: id),
      let product = product(node.op, node.inputs, stop: stop, depth: depth - 1)
    else { return Product(terms: [id]) }
    return product
  }

  /// As above for a node that need not be in the graph; nil where it is no product.
  func product(
    _ op: any Operator, _ operands: [ValueID?], stop: Set<ValueID> = [], depth: Int = 6
  ) -> Product? {
    guard operands.count == 2, let a = operands[0], let b = operands[1] else { return nil }
    switch op {
    case is Mul: return product(a, stop: stop, depth: depth) * product(b, stop: stop, depth: depth)
    case is Div:
      guard let divisor = scalar(b), divisor != 0 else { return nil }
      return product(a, stop: stop, depth: depth) * Product(factor: 1 / divisor)
    default: return nil
    }
  }

  /// The node that makes `id`, where it is an `Op`.
  func producer<Op: Operator>(_ id: ValueID?, as _: Op.Type) -> (op: Op, inputs: [ValueID?])? {
    guard let id, let node = producer(of: id), let op = node.op as? Op else { return nil }
    return (op, node.inputs)
  }
}

extension Graph {
  /// The base of `id`, where it is a power with this constant exponent.
  func base(of id: ValueID?, exponent: Double) -> ValueID? {
    guard let power = producer(id, as: Pow.self), scalar(power.inputs[1]) == exponent else {
      return nil
    }
    return power.inputs[0]
  }
}

/// True where two constants of a formula are the same number, one of them having been rounded to a float of
/// less width.
func agree(_ a: Double, _ b: Double) -> Bool { abs(a - b) <= 1e-6 * abs(b) }

extension RewriteSite {
  /// Replaces a product by a function of one value, where the product is `factor` · value · term for a term
  /// that `match` recognises.
  ///
  /// - Parameter match: given a factor of the product, the value, the scalar and the operator.
  mutating func recognise(
    _ node: Node,
    _ match: (ValueID, Graph) -> [(value: ValueID, factor: Double, op: any Operator)]
  ) throws(ModelError) -> [ValueID]? {
    guard !isQuantized, let whole = graph.product(node.op, operands) else { return nil }
    for term in whole.terms {
      for candidate in match(term, graph) {
        let stop: Set = [candidate.value, term]
        guard let product = graph.product(node.op, operands, stop: stop),
          product.terms.count == 2, agree(product.factor, candidate.factor),
          Set(product.terms) == stop,
          try Graph.infer(candidate.op, graph.facts([candidate.value]))
            == Graph.infer(node.op, graph.facts(operands))
        else { continue }
        return try replace(node, by: candidate.op, to: [candidate.value])
      }
    }
    return nil
  }
}
