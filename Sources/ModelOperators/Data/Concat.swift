import ModelIR
import TensorCore

/// The operands one after the other along one axis. ONNX Concat 4–13.
package struct Concat: Operator {
  package static let name = "Concat"
  package static let fields = [Field("axis", \Concat.axis)]

  /// Counted from the end where negative.
  package var axis = 0

  package init() {}
  package init(axis: Int) { self.axis = axis }
}

// MARK: - Types

extension Concat {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    let operands = try inputs.all()
    guard let first = operands.first else {
      throw ModelError(.invalidValue, "CC1: Concat of nothing")
    }
    for operand in operands where operand.element != first.element {
      throw ModelError(.typeMismatch, "CC2: Concat of \(first.element) and \(operand.element)")
    }
    var result = try first.dimensions()
    guard !result.isEmpty else { throw ModelError(.shapeMismatch, "CC3: Concat of scalars") }
    let axis = try Shape.resolve(axis: axis, rank: result.count)
    for operand in operands.dropFirst() {
      let next = try operand.dimensions()
      guard next.count == result.count else {
        throw ModelError(.shapeMismatch, "CC4: ranks \(result.count) and \(next.count)")
      }
      for index in result.indices {
        if index == axis {
          result[index] = Dimension.combine(result[index], next[index], +)
        } else if let extent = next[index].value {
          guard result[index].value ?? extent == extent else {
            throw ModelError(
              .shapeMismatch, "CC4: extents \(result[index]) and \(extent) of axis \(index)")
          }
          result[index] = next[index]
        } else if result[index] == .unknown {
          result[index] = next[index]
        }
      }
    }
    return [TensorType(first.element, result)]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    var result: [Dimension] = []
    for operand in inputs.values {
      guard let operand, operand.element.isInteger else { return nil }
      if let extents = operand.extents {
        result += extents
      } else if let count = operand.type.shape?.count, operand.type.rank == 1, count <= 64 {
        result += [Dimension](repeating: .unknown, count: count)
      } else {
        return nil
      }
    }
    return result
  }
}

// MARK: - Reference

extension Concat {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let operands = try inputs.all()
    let first = try inputs.required(0)
    let axis = try Shape.resolve(axis: axis, rank: first.shape.rank)
    var extents = first.shape.dimensions
    extents[axis] = operands.reduce(0) { $0 + $1.shape[axis] }
    let shape = try Shape(extents)
    let outer = shape.count(0..<axis)
    let size = first.element.byteCount
    let runs = operands.map { $0.shape.count(axis..<$0.shape.rank) * size }
    return [
      try Tensor(first.element, shape) { bytes throws(ModelError) in
        var position = 0
        for row in 0..<outer {
          for (operand, run) in zip(operands, runs) where run > 0 {
            bytes[position..<position + run].copyBytes(
              from: operand.bytes[row * run..<(row + 1) * run])
            position += run
          }
        }
      }
    ]
  }
}

// MARK: - Kernel

extension Concat: PlannedOperator {
  /// For elements of any type, channels-last where every operand is.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let operands = try request.operands.all()
    let quantization = request.outputs[0].quantization
    guard let shape = request.outputs[0].shape,
      operands.allSatisfy({ $0.fact.type.quantization == quantization })
    else { return nil }
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let layout: Layout =
      shape.rank >= 3 && operands.allSatisfy { $0.layout == .channelsLast }
      ? .channelsLast : .rowMajor
    let strides = layout.strides(of: shape)
    var copies: [StridedCopy] = []
    var start = 0
    for operand in operands {
      copies.append(
        StridedCopy(
          StridedView(operand.shape, strides: layout.strides(of: operand.shape)),
          to: start * strides[axis], strides: strides, order: layout.axisOrder(rank: shape.rank),
          size: operand.fact.element.byteCount, tier: request.tier))
      start += operand.shape[axis]
    }
    return PlannedKernel(
      operandLayouts: operands.map { _ in layout }, outputLayouts: [layout]
    ) { [copies] (frame) throws(ModelError) in
      for (copy, source) in zip(copies, frame.inputs) {
        guard let source else { continue }
        copy.run(from: source, to: frame.outputs[0], on: frame.pool)
      }
    }
  }
}

// MARK: - Import

extension Concat: ImportableOperator {
  package static let importers =
    [
      Importer("Concat", 4...newestOpset) { node throws(ModelError) in
        Concat(axis: try node.required(attribute: "axis"))
      }
    ] + quantizedImporters
}

// MARK: - Gradient

extension Concat: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let gradient = try site.gradient()
    let axis = try Shape.resolve(axis: axis, rank: gradient.shape.rank)
    var start = 0
    return try (0..<site.operandCount).map { (index) throws(ModelError) in
      let extent = try site.operand(index).shape[axis]
      defer { start += extent }
      return try site.wants(index) ? gradient.sliced(start..<start + extent, axis: axis) : nil
    }
  }
}
