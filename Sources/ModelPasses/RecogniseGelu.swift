import ModelIR
import ModelOperators
import TensorCore

/// The Gaussian error linear unit, written out.
///
///     %1 = Div(%x, 1.41421354)
///     %2 = Erf(%1)
///     %3 = Add(%2, 1)               →    %5 = Gelu(%x)
///     %4 = Mul(%x, %3)
///     %5 = Mul(%4, 0.5)
///
/// In any order of the factors, and the form with tanh as `approximate=tanh`. The constants may be off by
/// their rounding; results agree to about 1e-6 of their scale.
package struct RecogniseGelu: Rewrite {
  package static let name = "recognise-gelu"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    try site.recognise(node) { term, graph in
      // 1 + erf(x / √2), or 1 + tanh(√(2/π) · (x + 0.044715 · x³)).
      guard let sum = graph.producer(term, as: Add.self), let one = graph.scalarPair(sum.inputs),
        one.scalar == 1
      else { return [] }
      if let erf = graph.producer(one.value, as: Erf.self), let inner = erf.inputs[0],
        let scaled = RecogniseGelu.scaled(inner, by: 0.5.squareRoot(), in: graph)
      {
        return [(scaled, 0.5, Gelu())]
      }
      if let tanh = graph.producer(one.value, as: Tanh.self), let inner = tanh.inputs[0],
        let cubic = RecogniseGelu.scaled(inner, by: (2 / Double.pi).squareRoot(), in: graph),
        let sum = graph.producer(cubic, as: Add.self)
      {
        for index in 0...1 {
          guard let x = sum.inputs[index], let cube = sum.inputs[1 - index],
            RecogniseGelu.isCube(cube, of: x, in: graph)
          else { continue }
          return [(x, 0.5, Gelu(.tanh))]
        }
      }
      return []
    }
  }

  /// The value that `id` is `factor` times.
  private static func scaled(_ id: ValueID, by factor: Double, in graph: Graph) -> ValueID? {
    guard let node = graph.producer(of: id), let pair = graph.scalarPair(node.inputs) else {
      return nil
    }
    switch node.op {
    case is Mul: return agree(pair.scalar, factor) ? pair.value : nil
    case is Div where node.inputs[0] == pair.value:
      return agree(1 / pair.scalar, factor) ? pair.value : nil
    default: return nil
    }
  }

  /// 0.044715 · x³.
  private static func isCube(_ id: ValueID, of x: ValueID, in graph: Graph) -> Bool {
    let product = graph.product(id, stop: [x])
    guard agree(product.factor, 0.044715) else { return false }
    if product.terms == [x, x, x] { return true }
    return product.terms.count == 1 && graph.base(of: product.terms[0], exponent: 3) == x
  }
}
