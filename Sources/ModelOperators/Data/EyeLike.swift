import ModelIR
import TensorCore

/// A matrix of the shape of X with ones at column − row = `diagonal` and zeros elsewhere. ONNX EyeLike
/// 9–22.
package struct EyeLike: Operator {
  package static let name = "EyeLike"
  package static let fields = [
    Field("dtype", \EyeLike.element), Field("k", \EyeLike.diagonal),
  ]

  /// The element type of the result; nil for that of X.
  package var element: ElementType?
  package var diagonal = 0

  package init() {}
  package init(_ element: ElementType?, diagonal: Int) {
    self.element = element
    self.diagonal = diagonal
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    let dimensions = try x.dimensions()
    guard dimensions.count == 2 else {
      throw ModelError(.shapeMismatch, "EY1: EyeLike of rank \(dimensions.count), not 2")
    }
    return [TensorType(element ?? x.element, dimensions)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    if let element { return [element] }
    return [try inputs.required(0).element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    var values = [Int64](repeating: 0, count: x.count)
    for row in 0..<x.shape[0] {
      let (column, overflow) = row.addingReportingOverflow(diagonal)
      if !overflow, (0..<x.shape[1]).contains(column) { values[row * x.shape[1] + column] = 1 }
    }
    return [Tensor(element ?? x.element, x.shape, integers: values)]
  }
}

extension EyeLike: ImportableOperator {
  package static let importers = [
    Importer("EyeLike", 9...newestOpset) { node throws(ModelError) in
      EyeLike(try node.elementType("dtype"), diagonal: try node.attribute("k", default: 0))
    }
  ]
}
