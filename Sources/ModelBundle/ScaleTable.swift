import ModelIR
import TensorCore

/// Scales along axes, which are as many as biases: kept in one tensor instead of as decimals of a text, and those that are
/// products of others not at all (`T18`, `B72`).
struct ScaleTable {
  /// With fewer, a bundle is written in a version that more readers take.
  static let leastCount = 16

  /// The scales of all constants, but for products.
  private var values: [Float] = []
  private var starts: [[Float]: Int] = [:]
  /// Scales that are those of a weight times the scale of what meets it.
  private var products: [[Float]: (base: [Float], factor: Float)] = [:]
  /// Those weights' scales, as they were found.
  private var bases: [[Float]] = []

  init(_ graphs: [Graph]) {
    for graph in graphs {
      for node in graph.nodes { findProducts(node, graph) }
    }
    for graph in graphs {
      for value in graph.values {
        guard value.fact.constant != nil, let parameters = value.type.quantization,
          parameters.axis != nil, products[parameters.scales] == nil
        else { continue }
        add(parameters.scales)
      }
    }
    for base in bases { add(base) }
  }

  private mutating func add(_ scales: [Float]) {
    guard starts[scales] == nil else { return }
    starts[scales] = values.count
    values += scales
  }

  /// The bias of a layer has the scales of its weights times that of its operand.
  private mutating func findProducts(_ node: Node, _ graph: Graph) {
    let operands = node.inputs.compactMap { $0.flatMap { graph.type($0).quantization } }
    let factors = operands.filter { $0.axis == nil }.map(\.scale)
    let lists = operands.filter { $0.axis != nil }.map(\.scales)
    for (index, scales) in lists.enumerated() where products[scales] == nil {
      for base in lists[..<index] where base.count == scales.count && products[base] == nil {
        if let factor = factors.first(where: { factor in
          zip(base, scales).allSatisfy { $0 * factor == $1 }
        }) {
          products[scales] = (base, factor)
          bases.append(base)
          break
        }
      }
    }
  }

  /// Where each list is; none where there are few.
  ///
  /// - Parameter number: gives the tensor of all scales its number.
  func places(
    _ number: (Tensor) throws(ModelError) -> Int
  ) throws(ModelError) -> [[Float]: ScalePlace] {
    guard values.count >= Self.leastCount else { return [:] }
    let number = try number(Tensor(vector: values))
    var places = starts.mapValues { ScalePlace(number: number, start: $0) }
    for (scales, product) in products {
      guard let start = starts[product.base] else { continue }
      places[scales] = ScalePlace(number: number, start: start, factor: product.factor)
    }
    return places
  }
}
