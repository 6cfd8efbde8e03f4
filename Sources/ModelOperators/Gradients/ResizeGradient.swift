import ModelIR
import TensorCore

/// The gradient by the operand of a ``Resize``: each element of Y′ adds its multiples to the elements that it
/// was a sum of.
///
/// Operands: Y′, roi?, scales?, sizes?, the last three those of the resize. Clauses `RG1`… of
/// `formats/operators.md`; no ONNX kind.
package struct ResizeGradient: ImportableOperator {
  package static let name = "ResizeGradient"
  package static let fields = [
    Field("shape", \ResizeGradient.shape),
    Field("mode", \ResizeGradient.resize.mode),
    Field("coordinates", \ResizeGradient.resize.coordinates),
    Field("nearest", \ResizeGradient.resize.nearest),
    Field("cubicCoefficient", \ResizeGradient.resize.cubicCoefficient),
    Field("excludesOutside", \ResizeGradient.resize.excludesOutside),
    Field("extrapolation", \ResizeGradient.resize.extrapolation),
    Field("antialias", \ResizeGradient.resize.antialias),
    Field("axes", \ResizeGradient.resize.axes),
    Field("aspect", \ResizeGradient.resize.aspect),
  ]

  /// Extents of the operand of the resize.
  package var shape: [Int] = []
  package var resize = Resize()

  package init() {}
  package init(_ resize: Resize, shape: [Int]) {
    self.resize = resize
    self.shape = shape
  }
}

extension ResizeGradient {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...4)
    let gradient = try inputs.required(0)
    guard gradient.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "RG1: a gradient of \(gradient.element)")
    }
    let result = TensorType(gradient.element, try Shape(shape).dimensions.map { .fixed($0) })
    let resized =
      try resize.infer(
        Operands([Fact(result)] + inputs.values.dropFirst()))[0].dimensions ?? []
    let given = try gradient.dimensions()
    guard given.count == resized.count, zip(given, resized).allSatisfy({ $0.mayEqual($1) }) else {
      throw ModelError(.shapeMismatch, "RG2: a gradient of \(gradient.type) for \(resized)")
    }
    return [result]
  }

  /// How each axis was resampled, turned around.
  func resampling(
    roi: Tensor?, scales: Tensor?, sizes: Tensor?
  ) throws(ModelError) -> [ResizeAxis?] {
    try resize.resampling(Shape(shape), roi: roi, scales: scales, sizes: sizes).map {
      $0?.transposed()
    }
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let gradient = try inputs.required(0)
    let axes = try resampling(
      roi: inputs.optional(1), scales: inputs.optional(2), sizes: inputs.optional(3))
    return [try Resize.resampled(gradient, axes, absent: 0)]
  }
}

// MARK: - Kernel

extension ResizeGradient: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard let constants = try Resize.constants(request) else { return nil }
    let axes = try resampling(roi: constants[0], scales: constants[1], sizes: constants[2])
    return try .resampling(axes, of: request.operands.required(0).shape, absent: 0, request)
  }
}
