import ModelIR
import TensorCore

/// The first `lengths`[b] elements of each sequence b in reverse, the rest as they are. Operands: X and
/// the lengths. ONNX ReverseSequence 10–28.
package struct ReverseSequence: Operator {
  package static let name = "ReverseSequence"
  package static let fields = [
    Field("batch_axis", \ReverseSequence.batchAxis), Field("time_axis", \ReverseSequence.timeAxis),
  ]

  package var batchAxis = 1
  package var timeAxis = 0

  package init() {}
  package init(batchAxis: Int, timeAxis: Int) {
    self.batchAxis = batchAxis
    self.timeAxis = timeAxis
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    guard [batchAxis, timeAxis].sorted() == [0, 1] else {
      throw ModelError(.invalidValue, "RV1: axes \(batchAxis) and \(timeAxis), not 0 and 1")
    }
    if let rank = x.type.rank, rank < 2 {
      throw ModelError(.shapeMismatch, "RV2: ReverseSequence of rank \(rank)")
    }
    try inputs.required(1).expectIndices("RV3", "lengths")
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let lengths = try inputs.required(1).integers().map { Int($0) }
    let times = x.shape[timeAxis]
    guard lengths.count == x.shape[batchAxis], lengths.allSatisfy({ (0...times).contains($0) })
    else { throw ModelError(.invalidValue, "RV4: lengths \(lengths) for \(x.shape)") }
    let strides = x.shape.strides
    let sources = (0..<x.count).map { index in
      let batch = index / strides[batchAxis] % x.shape[batchAxis]
      let time = index / strides[timeAxis] % times
      guard time < lengths[batch] else { return index }
      return index + (lengths[batch] - 1 - 2 * time) * strides[timeAxis]
    }
    return [x.gathering(x.shape, from: sources)]
  }
}

extension ReverseSequence: MovingOperator {}

extension ReverseSequence: ImportableOperator {
  package static let importers = [
    Importer("ReverseSequence", 10...newestOpset) { node throws(ModelError) in
      ReverseSequence(
        batchAxis: try node.attribute("batch_axis", default: 1),
        timeAxis: try node.attribute("time_axis", default: 0))
    }
  ]
}
