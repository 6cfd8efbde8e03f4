import ModelIR
import TensorCore

/// A tensor of the shape that operand 0 holds, every element equal to `value`. ONNX ConstantOfShape
/// 9–25.
package struct ConstantOfShape: Operator {
  package static let name = "ConstantOfShape"
  package static let fields = [Field("value", \ConstantOfShape.value)]

  /// One element.
  package var value = Tensor(vector: [Float(0)])

  package init() {}
  package init(value: Tensor) { self.value = value }
}

// MARK: - Types

extension ConstantOfShape {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let shape = try inputs.required(0)
    guard shape.element == .int64 else {
      throw ModelError(.typeMismatch, "CS1: the shape is \(shape.element), not int64")
    }
    guard value.count == 1 else {
      throw ModelError(.invalidValue, "CS2: a value of \(value.count) elements")
    }
    if let extents = shape.extents {
      for case .fixed(let extent) in extents where extent < 0 {
        throw ModelError(.invalidValue, "CS3: extent \(extent)")
      }
      return [TensorType(value.element, extents)]
    }
    guard let rank = shape.type.shape?.count, shape.type.rank == 1 else {
      throw ModelError(.unknownShape, "the shape is not known")
    }
    guard rank <= Shape.maximumRank else {
      throw ModelError(.limitExceeded, "CS1: a rank of \(rank)")
    }
    return [TensorType(value.element, [Dimension](repeating: .unknown, count: rank))]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [value.element]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard value.element.isInteger, value.count == 1, let shape = inputs.optional(0)?.extents,
      shape.count <= 1
    else { return nil }
    guard let count = shape.isEmpty ? 1 : shape[0].value, (0...64).contains(count) else {
      return nil
    }
    return [Dimension](repeating: .fixed(Int(value.integers()[0])), count: count)
  }
}

// MARK: - Reference

extension ConstantOfShape {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let shape = try Shape(inputs.required(0).integers().map { Int($0) })
    let size = value.element.byteCount
    return [
      Tensor(
        value.element, shape,
        writing: { target in
          guard let to = target.baseAddress, let from = value.bytes.baseAddress else { return }
          for index in 0..<shape.count {
            (to + index * size).copyMemory(from: from, byteCount: size)
          }
        })
    ]
  }
}

// MARK: - Import

extension ConstantOfShape: ImportableOperator {
  package static let importers = [
    Importer("ConstantOfShape", 9...newestOpset) { node throws(ModelError) in
      ConstantOfShape(value: try node.attribute("value", default: ConstantOfShape().value))
    }
  ]
}
