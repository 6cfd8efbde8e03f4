import ModelIR
import TensorCore

/// The elements of each matrix at column − row ≥ k (or ≤ k for the lower triangle), and zeros.
/// Operands: X, k? (0). ONNX Trilu 14.
package struct Trilu: Operator {
  package static let name = "Trilu"
  package static let fields = [Field("upper", \Trilu.keepsUpper)]

  package var keepsUpper = true

  package init() {}
  package init(upper: Bool) { keepsUpper = upper }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...2)
    let x = try inputs.required(0)
    if let rank = x.type.rank, rank < 2 {
      throw ModelError(.shapeMismatch, "TL1: Trilu of rank \(rank)")
    }
    if let diagonal = inputs.optional(1), diagonal.element != .int64 {
      throw ModelError(.typeMismatch, "TL2: k is \(diagonal.element), not int64")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let diagonal = Int(inputs.optional(1)?.integers().first ?? 0)
    let (rows, columns) = (x.shape[x.shape.rank - 2], x.shape[x.shape.rank - 1])
    let sources = (0..<x.count).map { index in
      let offset = index % columns - index / columns % rows
      return (keepsUpper ? offset >= diagonal : offset <= diagonal) ? index : -1
    }
    return [x.gathering(x.shape, from: sources)]
  }
}

extension Trilu: ImportableOperator {
  package static let importers = [
    Importer("Trilu", 14...newestOpset) { node throws(ModelError) in
      Trilu(upper: try node.flag("upper", default: true))
    }
  ]
}
