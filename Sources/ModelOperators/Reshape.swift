import ModelIR
import TensorCore

/// The same elements under another shape, which is operand 1.
///
/// Clauses `RS1`… of `formats/operators.md`; ONNX Reshape 5–25. An extent of 0 copies the operand's
/// (unless `allowzero`), one extent may be −1.
package struct Reshape: Operator {
  package static let name = "Reshape"
  package static let fields = [Field("allowzero", \Reshape.allowZero)]

  package var allowZero = false

  package init() {}
  package init(allowZero: Bool) { self.allowZero = allowZero }
}

// MARK: - Types

extension Reshape {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let target = try inputs.required(1)
    guard target.element == .int64 else {
      throw ModelError(.typeMismatch, "RS1: the shape is \(target.element), not int64")
    }
    guard let extents = target.extents else {
      // The count of the target is the rank of the result, where it is known.
      if let dimensions = target.type.dimensions, dimensions.count == 1,
        let rank = dimensions[0].value, rank <= Shape.maximumRank
      {
        return [x.type.with(dimensions: [Dimension](repeating: .unknown, count: rank))]
      }
      throw ModelError(.unknownShape, "the target shape is not known")
    }
    var result: [Dimension] = []
    var free: Int?
    for (axis, extent) in extents.enumerated() {
      switch extent {
      case .fixed(0) where !allowZero:
        let source = try x.dimensions()
        guard axis < source.count else {
          throw ModelError(.shapeMismatch, "RS2: extent \(axis) copies an axis that is not there")
        }
        result.append(source[axis])
      case .fixed(-1):
        guard free == nil else { throw ModelError(.invalidValue, "RS3: two extents are −1") }
        free = axis
        result.append(.unknown)
      case .fixed(let value) where value < 0:
        throw ModelError(.invalidValue, "RS3: extent \(value)")
      default: result.append(extent)
      }
    }
    if let free {
      if let known = Reshape.remainder(of: x.type.dimensions, over: result, except: free) {
        result[free] = try known.get()
      }
    } else if let source = x.type.shape, let shape = TensorType(.bool, result).shape,
      source.count != shape.count
    {
      throw ModelError(.shapeMismatch, "RS4: \(source) has not as many elements as \(shape)")
    }
    return [x.type.with(dimensions: result)]
  }

  /// The extent that makes the counts equal, where the symbolic extents of both sides cancel.
  static func remainder(
    of source: [Dimension]?, over target: [Dimension], except free: Int
  ) -> Result<Dimension, ModelError>? {
    guard let source else { return nil }
    var left: [Dimension] = source.filter { $0.value == nil }
    var numerator = 1
    var denominator = 1
    for case .fixed(let value) in source { numerator *= value }
    for (axis, dimension) in target.enumerated() where axis != free {
      switch dimension {
      case .fixed(let value): denominator *= value
      case .unknown: return nil
      case .symbol:
        guard let index = left.firstIndex(of: dimension) else { return nil }
        left.remove(at: index)
      }
    }
    if left.count == 1, numerator == denominator, case .symbol = left[0] {
      return .success(left[0])
    }
    guard left.isEmpty else { return nil }
    guard denominator > 0, numerator % denominator == 0 else {
      return .failure(
        ModelError(.shapeMismatch, "RS4: \(numerator) elements do not divide by \(denominator)"))
    }
    return .success(.fixed(numerator / denominator))
  }
}

// MARK: - Reference

extension Reshape {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let types = try infer(Operands(inputs.values.map { $0.map { Fact($0) } }))
    guard let shape = types[0].shape else { throw ModelError(.unknownShape, "the result's shape") }
    return [try x.reshaped(to: shape)]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? { inputs.optional(0)?.extents }
}

// MARK: - Int8

extension Reshape: MovingOperator {}

// MARK: - Kernel

extension Reshape: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    .alias(of: 0)
  }
}

// MARK: - Import

extension Reshape: ImportableOperator {
  package static let importers = [
    Importer("Reshape", 5...newestOpset) { node throws(ModelError) in
      Reshape(allowZero: try node.flag("allowzero", default: false))
    }
  ]
}

// MARK: - Gradient

extension Reshape: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().reshaped(to: site.operand(0).shape)]
  }
}
