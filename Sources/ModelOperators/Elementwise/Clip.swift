import ModelIR
import ModelKernels
import TensorCore

/// y = min(max(x, lower), upper), NaN for NaN. Operands: X, lower?, upper?, the limits of one element
/// each; an absent limit limits nothing. ONNX Clip 6–13 (before 11 the limits are attributes).
package struct Clip: Operator {
  package static let name = "Clip"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...3)
    let x = try inputs.required(0)
    guard x.element != .bool else { throw ModelError(.typeMismatch, "CL1: Clip of bool") }
    for index in 1...2 {
      guard let limit = inputs.optional(index) else { continue }
      guard limit.element == x.element else {
        throw ModelError(.typeMismatch, "CL2: a limit of \(limit.element) for \(x.element)")
      }
      if let shape = limit.type.shape, shape.count != 1 {
        throw ModelError(.shapeMismatch, "CL3: a limit of shape \(shape); it must be one element")
      }
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    if x.element.isFloatingPoint {
      let lower = inputs.optional(1)?.doubles()[0] ?? -.infinity
      let upper = inputs.optional(2)?.doubles()[0] ?? .infinity
      return [Tensor(x.element, x.shape, doubles: x.doubles().map { clamp($0, lower, upper) })]
    }
    if x.element == .uint64 {
      let lower = inputs.optional(1).map { UInt64(bitPattern: $0.integers()[0]) } ?? .min
      let upper = inputs.optional(2).map { UInt64(bitPattern: $0.integers()[0]) } ?? .max
      let values = x.integers().map { UInt64(bitPattern: $0) }
      return [Tensor(x.shape, values.map { min(max($0, lower), upper) })]
    }
    let lower = inputs.optional(1)?.integers()[0] ?? .min
    let upper = inputs.optional(2)?.integers()[0] ?? .max
    return [Tensor(x.element, x.shape, integers: x.integers().map { min(max($0, lower), upper) })]
  }
}

extension Clip: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    guard x.fact.element == .float32 else { return nil }
    var limits: [Float] = [-.infinity, .infinity]
    for index in 1...2 {
      guard let operand = request.operands.optional(index) else { continue }
      guard let limit = operand.fact.constant else { return nil }
      limits[index - 1] = limit.floats()[0]
    }
    let (tier, lower, upper) = (request.tier, limits[0], limits[1])
    return .mapping(x) { (x, y, count) in
      tier.apply(.clip, count: count, x, to: y, p0: lower, p1: upper)
    }
  }
}

extension Clip: ImportableOperator {
  package static let importers = [
    Importer("Clip", 6...10) { (node, graph) throws(ModelError) in
      let x = try node.required(0)
      let element = graph.type(x).element
      var operands: [ValueID?] = [x]
      for name in ["min", "max"] {
        let limit = try node.optional(name, as: Float.self)
        operands.append(
          limit.map {
            node.constant(Tensor.filled(element, .scalar, with: Double($0)), name, in: &graph)
          })
      }
      return try node.append(Clip(), on: operands, to: &graph)
    },
    Importer("Clip", 11...newestOpset) { _ in Clip() },
  ]
}

extension Clip: DifferentiableOperator {
  /// A limit itself passes the gradient on.
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, gradient) = (try site.operand(0), try site.gradient())
    var byX = gradient
    if site.fact(1) != nil {
      byX = try byX - gradient.gated(by: site.operand(1).reshaped(to: .scalar) - x)
    }
    if site.fact(2) != nil {
      byX = try byX - gradient.gated(by: x - site.operand(2).reshaped(to: .scalar))
    }
    return [byX, nil, nil]
  }
}
