import ModelIR
import ModelKernels
import TensorCore

/// Integers move as integers; rows of a table with a scale for each become real numbers (`Q69`).
extension Gather: MovingOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    let x = try inputs.required(0)
    guard let scaled = x.type.quantization?.axis else { return try checkMoved(inputs, outputs) }
    try IntegerArithmetic.expectTable(x)
    guard try Shape.resolve(axis: axis, rank: x.dimensions().count) == scaled,
      outputs[0].quantization == nil
    else {
      throw ModelError(
        .notQuantizable,
        "GA4: Gather along axis \(axis) of a table with scales along axis \(scaled), as \(outputs[0])"
      )
    }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    guard x.quantization?.axis != nil else {
      return try reference(inputs).map { $0.reading(as: outputs[0].quantization) }
    }
    return try reference(Operands([x.dequantized(), try inputs.required(1)]))
  }
}

extension Gather: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    guard let parameters = x.fact.type.quantization, let axis = parameters.axis else { return nil }
    let run = x.shape.count(axis + 1..<x.shape.rank)
    let (outer, extent, tier) = (x.shape.count(0..<axis), x.shape[axis], request.tier)
    let indices = try request.operands.required(1)
    let (count, isWide) = (indices.shape.count, indices.fact.element == .int64)
    return PlannedKernel { (frame) throws(ModelError) in
      let (table, y) = (frame.input(0, as: Int8.self), frame.output(0, as: Float.self))
      for place in 0..<count {
        let row = try Gather.position(Gather.index(frame, place, isWide: isWide), of: extent)
        for block in 0..<outer {
          tier.dequantize(
            count: run, table + (block * extent + row) * run, scale: parameters.scales[row],
            zeroPoint: 0, to: y + (block * count + place) * run)
        }
      }
    }
  }
}
