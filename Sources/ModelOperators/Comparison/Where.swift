import ModelIR
import TensorCore

/// y = x where the condition (operand 0) holds, else z, with multidirectional broadcasting of
/// condition, X and Z. ONNX Where 9–16.
package struct Where: Operator {
  package static let name = "Where"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let condition = try inputs.required(0)
    let x = try inputs.required(1)
    let z = try inputs.required(2)
    guard condition.element == .bool else {
      throw ModelError(.typeMismatch, "WH1: a condition of \(condition.element), not bool")
    }
    guard x.element == z.element else {
      throw ModelError(.typeMismatch, "WH2: Where of \(x.element) and \(z.element)")
    }
    let chosen = try broadcast(x.dimensions(), z.dimensions())
    return [TensorType(x.element, try broadcast(condition.dimensions(), chosen))]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [try inputs.required(1).element]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    guard let x = inputs.optional(1)?.extents, let z = inputs.optional(2)?.extents else {
      return nil
    }
    let condition =
      inputs.optional(0)?.extents
      ?? inputs.optional(0)?.constant?.integers().map { Dimension.fixed(Int($0)) }
    guard let condition else { return nil }
    let count = max(x.count, z.count, condition.count)
    guard [x.count, z.count, condition.count].allSatisfy({ $0 == count || $0 == 1 }) else {
      return nil
    }
    return (0..<count).map { index in
      let yes = x[x.count == 1 ? 0 : index]
      let no = z[z.count == 1 ? 0 : index]
      guard let holds = condition[condition.count == 1 ? 0 : index].value else {
        return yes == no ? yes : .unknown
      }
      return holds != 0 ? yes : no
    }
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let condition = try inputs.required(0)
    let x = try inputs.required(1)
    let z = try inputs.required(2)
    let shape = try Shape.broadcast(condition.shape, Shape.broadcast(x.shape, z.shape))
    let holds = condition.integers()
    let asked = sources(of: condition.shape, in: shape)
    let (yes, no) = (sources(of: x.shape, in: shape), sources(of: z.shape, in: shape))
    let size = x.element.byteCount
    return [
      Tensor(
        x.element, shape,
        writing: { bytes in
          for index in 0..<shape.count {
            let (from, source) =
              holds[asked[index]] != 0 ? (x.bytes, yes[index]) : (z.bytes, no[index])
            bytes[index * size..<(index + 1) * size].copyBytes(
              from: from[source * size..<(source + 1) * size])
          }
        })
    ]
  }
}

extension Where: PlannedOperator {
  /// For elements of four bytes, row-major.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operands = try request.operands.all()
    guard operands[1].fact.element.byteCount == 4, let shape = request.outputs[0].shape else {
      return nil
    }
    let strides = operands.map { $0.shape.broadcastStrides(to: shape) } + [shape.strides]
    let loops = ElementLoops(
      shape.dimensions.indices.map { axis in
        .init(
          extent: shape[axis],
          strides: SIMD4(
            strides[0][axis], strides[1][axis], strides[2][axis], strides[3][axis]))
      })
    let (row, column) = (loops.rows.strides, loops.columns.strides)
    return PlannedKernel { (frame) throws(ModelError) in
      let condition = frame.input(0, as: UInt8.self)
      let (x, z) = (frame.input(1, as: UInt32.self), frame.input(2, as: UInt32.self))
      let y = frame.output(0, as: UInt32.self)
      loops.run(on: frame.pool) { (offset, rows, columns) in
        for i in 0..<rows {
          var place = offset &+ row &* SIMD4(repeating: i)
          for _ in 0..<columns {
            y[place.w] = condition[place.x] != 0 ? x[place.y] : z[place.z]
            place &+= column
          }
        }
      }
    }
  }
}

extension Where: ImportableOperator {
  package static let importers =
    [Importer("Where", 9...newestOpset) { _ in Where() }] + quantizedImporters
}

// MARK: - Gradient

extension Where: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (condition, gradient) = (try site.operand(0), try site.gradient())
    let zero = try gradient.filled(with: 0)
    return [
      nil,
      try site.wants(1)
        ? condition.applying(Where(), gradient, zero).reduced(to: site.operand(1).shape) : nil,
      try site.wants(2)
        ? condition.applying(Where(), zero, gradient).reduced(to: site.operand(2).shape) : nil,
    ]
  }
}
