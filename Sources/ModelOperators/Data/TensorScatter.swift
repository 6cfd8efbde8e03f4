import ModelIR
import TensorCore

/// A cache with the update written along `axis` from the index of each batch entry on (operand 2, or
/// 0), wrapping around where `mode` is circular. Operands: cache, update, indices?. ONNX TensorScatter
/// 24.
package struct TensorScatter: Operator {
  package enum Mode: String, StringAttribute { case linear, circular }
  package static let name = "TensorScatter"
  package static let fields = [
    Field("axis", \TensorScatter.axis), Field("mode", \TensorScatter.mode),
  ]

  /// Counted from the end where negative; never the first.
  package var axis = -2
  package var mode = Mode.linear

  package init() {}
  package init(axis: Int, mode: Mode) {
    self.axis = axis
    self.mode = mode
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let cache = try inputs.required(0)
    let update = try inputs.required(1)
    guard cache.element == update.element else {
      throw ModelError(.typeMismatch, "TS1: an update of \(update.element) for \(cache.element)")
    }
    try inputs.optional(2)?.expectIndices("TS2", "indices")
    let rank = try cache.dimensions().count
    guard try Shape.resolve(axis: axis, rank: rank) > 0 else {
      throw ModelError(.invalidValue, "TS3: axis \(axis) is the batch")
    }
    if let own = cache.type.shape, let given = update.type.shape {
      let axis = try Shape.resolve(axis: axis, rank: rank)
      guard own.rank == given.rank,
        (0..<rank).allSatisfy({ $0 == axis ? given[$0] <= own[$0] : given[$0] == own[$0] })
      else { throw ModelError(.shapeMismatch, "TS4: an update of \(given) for \(own)") }
    }
    return [cache.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let cache = try inputs.required(0)
    let update = try inputs.required(1)
    let axis = try Shape.resolve(axis: axis, rank: cache.shape.rank)
    let starts =
      inputs.optional(2)?.integers().map { Int($0) }
      ?? [Int](repeating: 0, count: cache.shape[0])
    let (extent, length) = (cache.shape[axis], update.shape[axis])
    let inner = cache.shape.count(axis + 1..<cache.shape.rank)
    let perBatch = cache.shape.count(1..<axis)
    var places: [Int] = []
    for row in 0..<cache.shape.count(0..<axis) {
      guard let start = starts.count == cache.shape[0] ? starts[row / perBatch] : nil, start >= 0,
        mode == .circular || start <= extent - length
      else { throw ModelError(.invalidValue, "TS5: indices \(starts) for extent \(extent)") }
      for step in 0..<length {
        let place = (row * extent + (start % extent + step) % extent) * inner
        for column in 0..<inner { places.append(place + column) }
      }
    }
    return [ScatterReduction.none.scatter(update, at: places, into: cache)]
  }
}

extension TensorScatter: ImportableOperator {
  package static let importers = [
    Importer("TensorScatter", 24...newestOpset) { node throws(ModelError) in
      TensorScatter(
        axis: try node.attribute("axis", default: -2),
        mode: try node.attribute("mode", default: Mode.linear))
    }
  ]
}
