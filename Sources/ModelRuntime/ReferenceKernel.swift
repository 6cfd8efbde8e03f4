import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Lets a plan run an operator that has no kernel: by its reference, on copies of its operands.
enum ReferenceKernel {
  static func kernel(
    _ node: Node, operandTypes: [TensorType?], constants: [Tensor?], outputs: [TensorType],
    quantizations: [QuantizationParameters?]
  ) -> PlannedKernel {
    kernel(operandTypes: operandTypes, constants: constants, outputs: outputs) {
      (operands, _) throws(ModelError) in
      try Graph.evaluate(node, operands, quantizations: quantizations)
    }
  }

  /// A kernel that computes on tensors.
  static func kernel(
    operandTypes: [TensorType?], constants: [Tensor?], outputs: [TensorType],
    evaluate:
      @escaping @Sendable (Operands<Tensor>, ThreadPool) throws(ModelError) -> [Tensor]
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
      let results = try evaluate(Operands(operands), frame.pool)
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
