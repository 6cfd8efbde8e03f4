import ModelIR
import TensorCore

/// The parts of a memory's integer form (`Q61`–`Q63`), checked.
struct IntegerMemory: Sendable {
  /// What one step of each product stands for.
  let keyScales: [Float]
  let valueScales: [Float]
  let output: QuantizationParameters?

  /// Steps from 0 to 1 of a component of a direction, and of a share.
  static let directionSteps: Float = 32_767
  static let shareSteps: Float = 65_535

  /// - Throws: `not-quantizable` with the clause that is broken.
  init(
    _ op: MemoryRead, _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    for index in [0, 3] {
      guard let operand = inputs.optional(index), operand.type.quantization != nil else { continue }
      throw ModelError(.notQuantizable, "Q61: operand \(index) is \(operand.type), not float32")
    }
    guard outputs[1].quantization == nil else {
      throw ModelError(.notQuantizable, "Q62: the address is float32")
    }
    let keyScales = try IntegerMemory.scales(try inputs.required(1), [.int8, .int16], axis: 0)
    let valueScales = try IntegerMemory.scales(try inputs.required(2), [.int8], axis: 1)
    guard let slots = try inputs.required(1).type.shape?[0],
      (65_535 * op.heads + slots) * 127 < 1 << 31
    else {
      throw ModelError(.notQuantizable, "Q63: so many heads and slots could overflow 32 bits")
    }
    self.keyScales = keyScales.map { $0 * (1 / IntegerMemory.directionSteps) }
    self.valueScales = valueScales.map { $0 * (1 / IntegerMemory.shareSteps) }
    output = try outputs[0].quantization.map { (_) throws(ModelError) in
      try IntegerArithmetic.output(outputs)
    }
  }

  /// The scales along `axis` of constant integers.
  private static func scales(
    _ fact: Fact, _ elements: [ElementType], axis: Int
  ) throws(ModelError) -> [Float] {
    guard let tensor = fact.constant, elements.contains(tensor.element), tensor.shape.rank == 2,
      let parameters = tensor.quantization, parameters.axis == axis,
      parameters.scales.count == tensor.shape[axis],
      parameters.scales.allSatisfy({ IntegerArithmetic.isValid(scale: $0) })
    else {
      throw ModelError(
        .notQuantizable,
        "Q61: keys or values are \(fact.type), not constant integers per axis \(axis)")
    }
    return parameters.scales
  }

  /// `Q61`: a component of a direction in steps.
  static func steps(direction x: Float) -> Int16 {
    let t = IntegerArithmetic.minimum(
      IntegerArithmetic.maximum(x * directionSteps, -directionSteps), directionSteps)
    return Int16(t.rounded(.toNearestOrEven))
  }

  /// `Q63`: a share in steps.
  static func steps(share x: Float) -> Int32 {
    let t = IntegerArithmetic.minimum(IntegerArithmetic.maximum(x * shareSteps, 0), shareSteps)
    return Int32(t.rounded(.toNearestOrEven))
  }
}

extension MemoryRead: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    _ = try IntegerMemory(self, inputs, outputs)
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let form = try IntegerMemory(self, inputs.map { Fact($0) }, outputs)
    let (query, keys, values) = (
      try inputs.required(0), try inputs.required(1), try inputs.required(2)
    )
    let layout = MemoryLayout(self, query: query.shape, keys: keys.shape, values: values.shape)
    let (q, k, v) = (query.floats(), keys.integers(), values.integers())
    let bias = inputs.optional(3)?.floats()
    let norm = NormalizeL2(axis: 0, epsilon: epsilon)
    var address: [Float] = []
    var read: [Float] = []
    for row in 0..<layout.rows {
      var shares: [Float] = []
      for head in 0..<layout.heads {
        let start = (row * layout.heads + head) * layout.width
        let direction = norm.apply(q[start..<start + layout.width].map { Double($0) })
          .map { Int64(IntegerMemory.steps(direction: Float($0))) }
        let scores = (0..<layout.slots).map { slot -> Float in
          let key = head * layout.slots + slot
          var sum: Int64 = 0
          for i in 0..<layout.width { sum += direction[i] * k[key * layout.width + i] }
          return Float(sum) * form.keyScales[key]
        }
        shares += FixedFunctions.softmax(scores)
      }
      for output in 0..<layout.outputs {
        var sum: Int64 = 0
        for (slot, share) in shares.enumerated() where !(share < leastShare) {
          sum += Int64(IntegerMemory.steps(share: share)) * v[slot * layout.outputs + output]
        }
        let t = Float(sum) * form.valueScales[output]
        read.append(bias.map { t + $0[output] } ?? t)
      }
      address += shares
    }
    let outer = query.shape.dimensions.dropLast()
    let shape = try Shape(outer + [layout.outputs])
    let first =
      form.output.map { parameters in
        Tensor(
          shape, read.map { IntegerArithmetic.quantize($0, parameters) }, quantization: parameters)
      } ?? Tensor(shape, read)
    return [first, Tensor(try Shape(outer + [layout.allSlots]), address)]
  }
}
