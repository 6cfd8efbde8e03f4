import ModelIR
import TensorCore

/// y = (x − mean) / (√variance + 10⁻⁹), the statistics being taken over `axes`.
///
/// Clauses `MV1`… of `formats/operators.md`; ONNX MeanVarianceNormalization 9–13.
package struct MeanVarianceNormalization: Operator {
  package static let name = "MeanVarianceNormalization"
  package static let fields = [Field("axes", \MeanVarianceNormalization.axes)]

  package var axes = [0, 2, 3]

  package init() {}
  package init(axes: [Int]) { self.axes = axes }
}

extension MeanVarianceNormalization {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "MV1: normalisation of \(x.element)")
    }
    let rank = try x.dimensions().count
    guard rank > 0 || axes.isEmpty else {
      throw ModelError(.invalidValue, "MV1: axes \(axes) of a scalar")
    }
    for axis in axes { _ = try Shape.resolve(axis: axis, rank: rank) }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    var kept = x.shape.dimensions
    for axis in axes { kept[try Shape.resolve(axis: axis, rank: x.shape.rank)] = 1 }
    let small = try Shape(kept)
    let owners = pairs(small, x.shape, x.shape).map(\.0)
    let values = x.doubles()
    let count = Double(values.count / max(1, small.count))
    var mean = [Double](repeating: 0, count: small.count)
    var variance = mean
    for (index, owner) in owners.enumerated() { mean[owner] += values[index] / count }
    for (index, owner) in owners.enumerated() {
      variance[owner] += (values[index] - mean[owner]) * (values[index] - mean[owner]) / count
    }
    let result = owners.indices.map {
      (values[$0] - mean[owners[$0]]) / (variance[owners[$0]].squareRoot() + 1e-9)
    }
    return [Tensor(x.element, x.shape, doubles: result)]
  }
}

extension MeanVarianceNormalization: ImportableOperator {
  package static let importers = [
    Importer("MeanVarianceNormalization", 9...newestOpset) { node throws(ModelError) in
      MeanVarianceNormalization(axes: try node.attribute("axes", default: [0, 2, 3]))
    }
  ]
}
