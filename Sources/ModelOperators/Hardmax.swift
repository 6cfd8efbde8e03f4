import ModelIR
import TensorCore

/// 1 for the first greatest element along one axis, 0 for the others.
///
/// Clauses `SM1`… of `formats/operators.md`; ONNX Hardmax 1–13.
package struct Hardmax: AxisOperator {
  package static let name = "Hardmax"
  package static let fields = [Field("axis", \Hardmax.axis)]

  /// Counted from the end where negative.
  package var axis = -1

  package init() {}
  package init(axis: Int) { self.axis = axis }

  package func apply(_ line: [Double]) -> [Double] {
    var best = 0
    for index in line.indices where line[index] > line[best] { best = index }
    return line.indices.map { $0 == best ? 1 : 0 }
  }
}

extension Hardmax: ImportableOperator {
  package static let importers = [
    Importer("Hardmax", 1...12) { (node, graph) throws(ModelError) in
      try node.appendFlattened(to: &graph) { Hardmax(axis: $0) }
    },
    Importer("Hardmax", 13...newestOpset) { node throws(ModelError) in
      Hardmax(axis: try node.attribute("axis", default: -1))
    },
  ]
}
