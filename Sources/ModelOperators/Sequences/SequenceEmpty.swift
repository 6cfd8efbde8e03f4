import ModelIR
import TensorCore

/// A sequence without tensors. ONNX SequenceEmpty 11.
package struct SequenceEmpty: Operator {
  package static let name = "SequenceEmpty"
  package static let fields = [Field("element", \SequenceEmpty.element)]
  package var element = ElementType.float32
  package init() {}
  package init(_ element: ElementType) { self.element = element }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(0...0)
    return [.sequence(of: TensorType(element, nil))]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [try Tensor(sequence: [], of: element)]
  }
}

extension SequenceEmpty: ImportableOperator {
  package static let importers = [
    Importer("SequenceEmpty", 11...newestOpset) { node throws(ModelError) in
      SequenceEmpty(try node.elementType("dtype") ?? .float32)
    }
  ]
}
