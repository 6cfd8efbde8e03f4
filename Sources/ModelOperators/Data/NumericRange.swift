import ModelIR
import TensorCore

/// start, start + delta, start + 2·delta … before the limit; the operands are scalars. Floats of fewer
/// than 32 bits are counted as float32. ONNX Range 11–27.
package struct NumericRange: Operator {
  package static let name = "Range"
  package init() {}
}

// MARK: - Types

extension NumericRange {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let operands = try inputs.all()
    let element = operands[0].element
    for operand in operands {
      guard operand.element == element, element != .bool else {
        throw ModelError(.typeMismatch, "RG1: bounds of \(element) and \(operand.element)")
      }
      if let shape = operand.type.shape, shape.count != 1 {
        throw ModelError(.shapeMismatch, "RG2: a bound of shape \(shape)")
      }
    }
    if let range = try? integers(inputs) { return [TensorType(element, [.fixed(range.count)])] }
    guard let start = operands[0].constant, let limit = operands[1].constant,
      let delta = operands[2].constant
    else { return [TensorType(element, [.unknown])] }
    return [TensorType(element, [.fixed(try NumericRange.count(start, limit, delta))])]
  }

  /// The values, where the bounds are integers that are known.
  private func integers(_ inputs: Operands<Fact>) throws(ModelError) -> [Dimension] {
    var bounds: [Int] = []
    for operand in try inputs.all() {
      guard operand.element.isInteger else { throw ModelError(.unknownShape, "floats") }
      bounds.append(contentsOf: try operand.integers())
    }
    guard bounds[2] != 0, bounds.allSatisfy({ $0.magnitude < 1 << 40 }) else {
      throw ModelError(.unknownShape, "the bounds are out of range")
    }
    guard (bounds[1] - bounds[0]) / bounds[2] <= 64 else {
      throw ModelError(.unknownShape, "too many values to follow")
    }
    return stride(from: bounds[0], to: bounds[1], by: bounds[2]).map { .fixed($0) }
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? { try? integers(inputs) }

  private static func count(
    _ start: Tensor, _ limit: Tensor, _ delta: Tensor
  ) throws(ModelError) -> Int {
    let bounds = [start, limit, delta]
    let count: UInt64? =
      switch start.element {
      case .uint64: steps(bounds.map { UInt64(bitPattern: $0.integers()[0]) })
      case let element where element.isInteger: steps(bounds.map { $0.integers()[0] })
      default: steps(bounds.map { $0.doubles()[0] })
      }
    guard let count, count < 1 << 40 else {
      let numbers = bounds.map { $0.doubles()[0] }
      throw ModelError(
        .invalidValue, "RG3: from \(numbers[0]) to \(numbers[1]) by steps of \(numbers[2])")
    }
    return Int(count)
  }

  /// How many steps lie between two integers; nil for a step of 0.
  private static func steps<Number: FixedWidthInteger>(_ bounds: [Number]) -> UInt64? {
    let (start, limit, step) = (bounds[0], bounds[1], bounds[2])
    guard step != 0 else { return nil }
    guard step > 0 ? start < limit : start > limit else { return 0 }
    // The distance may be beyond the type, but not beyond its unsigned one.
    let distance = UInt64(truncatingIfNeeded: step > 0 ? limit &- start : start &- limit)
    return (distance - 1) / UInt64(step.magnitude) + 1
  }

  /// The same of real numbers; nil also for what is no number or beyond every limit.
  private static func steps(_ bounds: [Double]) -> UInt64? {
    let count = ((bounds[1] - bounds[0]) / bounds[2]).rounded(.up)
    guard bounds[2] != 0, count < 0x1p62 else { return nil }
    return UInt64(max(0, count))
  }
}

// MARK: - Reference

extension NumericRange {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let start = try inputs.required(0)
    let delta = try inputs.required(2)
    let count = try NumericRange.count(start, inputs.required(1), delta)
    let shape = try Shape([count])
    if start.element.isFloatingPoint {
      let (first, step) = (start.doubles()[0], delta.doubles()[0])
      return [Tensor(start.element, shape, doubles: (0..<count).map { first + Double($0) * step })]
    }
    let (first, step) = (start.integers()[0], delta.integers()[0])
    return [
      Tensor(start.element, shape, integers: (0..<count).map { first &+ Int64($0) &* step })
    ]
  }
}

// MARK: - Import

extension NumericRange: ImportableOperator {
  package static let importers = [
    Importer("Range", 11...newestOpset) { node throws(ModelError) in
      node.ignore("stash_type")
      return NumericRange()
    }
  ]
}
