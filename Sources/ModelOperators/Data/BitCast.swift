import ModelIR
import TensorCore

/// The same bits read as another element type of the same width. ONNX BitCast 26.
package struct BitCast: Operator {
  package static let name = "BitCast"
  package static let fields = [Field("to", \BitCast.target)]

  package var target = ElementType.float32

  package init() {}
  package init(to target: ElementType) { self.target = target }

  private static let fourBits: Set<ElementType> = [.int4, .uint4]

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.byteCount == target.byteCount,
      BitCast.fourBits.contains(x.element) == BitCast.fourBits.contains(target)
    else { throw ModelError(.typeMismatch, "BC1: the bits of \(x.element) as \(target)") }
    return [x.type.with(element: target)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [target]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    if BitCast.fourBits.contains(target) || x.element == .bool || target == .bool {
      return [Tensor(target, x.shape, integers: x.integers())]
    }
    return [Tensor(target, x.shape, writing: { $0.copyMemory(from: x.bytes) })]
  }
}

extension BitCast: ImportableOperator {
  package static let importers = [
    Importer("BitCast", 26...newestOpset) { node throws(ModelError) in
      guard let target = try node.elementType("to") else {
        throw ModelError(.invalidValue, "BC2: BitCast needs attribute 'to'")
      }
      return BitCast(to: target)
    }
  ]
}
