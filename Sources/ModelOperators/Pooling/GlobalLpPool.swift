import Foundation
import ModelIR
import TensorCore

/// The p-norm of each plane: all axes after the first two become 1.
///
/// Clauses `PL1`, `PL2` of `formats/operators.md`; ONNX GlobalLpPool 2–22.
package struct GlobalLpPool: GlobalPoolingOperator {
  package static let name = "GlobalLpPool"
  package static let fields = [Field("p", \GlobalLpPool.p)]

  package var p = 2

  package init() {}
  package init(p: Int) { self.p = p }

  package func pool(_ plane: ArraySlice<Double>) -> Double {
    pow(plane.reduce(0) { $0 + pow(abs($1), Double(p)) }, 1 / Double(p))
  }
}

extension GlobalLpPool: ImportableOperator {
  package static let importers = [
    Importer("GlobalLpPool", 2...newestOpset) { node throws(ModelError) in
      GlobalLpPool(p: try node.attribute("p", default: 2))
    }
  ]
}
