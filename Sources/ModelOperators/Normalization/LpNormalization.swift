import Foundation
import ModelIR
import TensorCore

/// Each line along one axis divided by its p-norm; a line of norm 0 stays 0.
///
/// Clauses `LP1`… of `formats/operators.md`; ONNX LpNormalization 1–22 (p is 1 or 2).
package struct LpNormalization: AxisOperator {
  package static let name = "LpNormalization"
  package static let fields = [
    Field("axis", \LpNormalization.axis), Field("p", \LpNormalization.p),
  ]

  /// Counted from the end where negative.
  package var axis = -1
  package var p = 2

  package init() {}
  package init(axis: Int, p: Int) {
    self.axis = axis
    self.p = p
  }

  package func apply(_ line: [Double]) -> [Double] {
    let norm =
      p == 1
      ? line.reduce(0) { $0 + abs($1) } : line.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return line.map { norm == 0 ? 0 : $0 / norm }
  }
}

extension LpNormalization: ImportableOperator {
  package static let importers = [
    Importer("LpNormalization", 1...newestOpset) { node throws(ModelError) in
      let p = try node.attribute("p", default: 2)
      guard p == 1 || p == 2 else {
        throw ModelError(.unsupportedAttribute, "LP1: a norm of order \(p)")
      }
      return LpNormalization(axis: try node.attribute("axis", default: -1), p: p)
    }
  ]
}
