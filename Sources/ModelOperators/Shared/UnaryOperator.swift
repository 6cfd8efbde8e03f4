import ModelIR
import ModelKernels
import TensorCore

/// An operator that maps each element of one tensor of floats (`EW1`).
package protocol UnaryOperator: PlannedOperator {
  /// The formula for one element.
  func apply(_ x: Double) -> Double
  /// The kernel of float32 elements; nil where there is none and the reference must do.
  var elementKernel: ElementKernel? { get }
}

/// What computes float32 elements one by one, with the same bits everywhere.
package enum ElementKernel: Sendable {
  /// A function of the kernels, with its parameters.
  case function(UnaryFunction, p0: Float = 0, p1: Float = 0)
  /// The operator's own formula: for formulas of exact operations alone.
  case formula
}

extension UnaryOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "EW1: \(Self.name) of \(x.element); it needs a float type")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    return [Tensor(x.element, x.shape, doubles: x.doubles().map { apply($0) })]
  }
}

extension UnaryOperator {
  package var elementKernel: ElementKernel? { nil }

  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    guard x.fact.element == .float32, let elementKernel else { return nil }
    switch elementKernel {
    case .function(let function, let p0, let p1):
      let tier = request.tier
      return .mapping(x) { (x, y, count) in
        tier.apply(function, count: count, x, to: y, p0: p0, p1: p1)
      }
    case .formula:
      return .mapping(x) { (x, y, count) in
        for index in 0..<count { y[index] = Float(apply(Double(x[index]))) }
      }
    }
  }
}

extension PlannedKernel {
  /// A kernel of one float32 operand, in any layout, whose elements do not depend on each other.
  static func mapping(
    _ x: KernelRequest.Operand,
    _ map: @escaping @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>, Int) -> Void
  ) -> PlannedKernel {
    let loops = ElementLoops([.init(extent: x.shape.count, strides: SIMD4(1, 0, 0, 0))])
    return PlannedKernel(
      operandLayouts: [x.layout], outputLayouts: [x.layout], overwritableOperands: [0]
    ) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      loops.run(on: frame.pool) { (offset, _, count) in map(x + offset.x, y + offset.x, count) }
    }
  }
}

/// A unary operator that takes integers too.
package protocol NumericUnaryOperator: UnaryOperator {
  func apply(_ x: Int64) -> Int64
  /// For unsigned elements, whose 64-bit form may not fit `Int64`.
  func apply(_ x: UInt64) -> UInt64
}

extension NumericUnaryOperator {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element != .bool else {
      throw ModelError(.typeMismatch, "EW1: \(Self.name) of bool; it needs a numeric type")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    guard x.element.isInteger else {
      return [Tensor(x.element, x.shape, doubles: x.doubles().map { apply($0) })]
    }
    let values = x.integers()
    guard !x.element.isSigned else {
      return [Tensor(x.element, x.shape, integers: values.map { apply($0) })]
    }
    return [
      Tensor(
        x.element, x.shape,
        integers: values.map { Int64(bitPattern: apply(UInt64(bitPattern: $0))) })
    ]
  }

  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? {
    inputs.optional(0)?.extents?.map { $0.value.map { .fixed(Int(apply(Int64($0)))) } ?? .unknown }
  }
}

/// `x` kept within limits; NaN stays NaN.
func clamp(_ x: Double, _ lower: Double, _ upper: Double) -> Double {
  let raised = x < lower ? lower : x
  return raised > upper ? upper : raised
}
