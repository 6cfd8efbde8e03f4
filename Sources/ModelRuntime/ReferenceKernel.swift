import ModelIR
import ModelOperators
import TensorCore

/// Lets a plan run an operator that has no kernel: by its reference, on copies of its operands.
enum ReferenceKernel {
  static func kernel(
    _ node: Node, operandTypes: [TensorType?], constants: [Tensor?], outputs: [TensorType],
    quantizations: [QuantizationParameters?]
  ) -> PlannedKernel {
    PlannedKernel { (frame) throws(ModelError) in
      var operands: [Tensor?] = []
      for (index, type) in operandTypes.enumerated() {
        if let constant = constants[index] {
          operands.append(constant)
        } else if let type, let shape = type.shape, let source = frame.inputs[index] {
          operands.append(
            Tensor(
              type.element, shape, quantization: type.quantization,
              writing: { target in
                target.copyMemory(from: UnsafeRawBufferPointer(start: source, count: target.count))
              }))
        } else {
          operands.append(nil)
        }
      }
      let results = try Graph.evaluate(node, Operands(operands), quantizations: quantizations)
      for (index, result) in results.prefix(frame.outputs.count).enumerated() {
        guard result.shape == outputs[index].shape else {
          throw ModelError(
            .invalidGraph, "a result has shape \(result.shape), but \(outputs[index]) was planned")
        }
        UnsafeMutableRawBufferPointer(start: frame.outputs[index], count: result.byteCount)
          .copyMemory(from: result.bytes)
      }
    }
  }
}
