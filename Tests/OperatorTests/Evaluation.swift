import ModelIR
import ModelOperators
import TensorCore

/// The outputs of one application, after checking that inference gives their types.
func evaluate(_ op: any Operator, _ operands: Tensor?...) throws(ModelError) -> [Tensor] {
  let facts = Operands<Fact>(operands.map { $0.map { Fact($0) } })
  let types = try op.infer(facts)
  let outputs = try op.reference(Operands(operands))
  for (type, output) in zip(types, outputs) {
    guard type.element == output.element, type.shape == nil || type.shape == output.shape else {
      throw ModelError(.invalidGraph, "inferred \(type), computed \(output.type)")
    }
  }
  return outputs
}

func floats(_ dimensions: Int..., values: [Float]) -> Tensor {
  guard let shape = try? Shape(dimensions) else { preconditionFailure("a shape in a test") }
  return Tensor(shape, values)
}

func integers(_ values: Int...) -> Tensor { Tensor(vector: values.map { Int64($0) }) }

/// 0, 1, 2 … as float32.
func counting(_ dimensions: Int...) -> Tensor {
  guard let shape = try? Shape(dimensions) else { preconditionFailure("a shape in a test") }
  return Tensor(shape, (0..<shape.count).map { Float($0) })
}

/// The code of the error that `body` throws.
func code(_ body: () throws -> Void) -> ModelError.Code? {
  do {
    try body()
    return nil
  } catch let error as ModelError {
    return error.code
  } catch {
    return nil
  }
}

/// A fact with symbolic extents.
func open(_ element: ElementType = .float32, _ dimensions: Dimension...) -> Fact {
  Fact(TensorType(element, dimensions))
}
