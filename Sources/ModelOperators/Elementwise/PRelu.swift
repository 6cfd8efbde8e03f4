import ModelIR
import ModelKernels
import TensorCore

/// y = x where x ≥ 0, else slope · x; the slope (operand 1) broadcasts to X. ONNX PRelu 7–16.
package struct PRelu: Operator {
  package static let name = "PRelu"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let slope = try inputs.required(1)
    guard x.element == slope.element, x.element != .bool else {
      throw ModelError(.typeMismatch, "PR1: PRelu of \(x.element) with slope \(slope.element)")
    }
    if let target = x.type.shape, let own = slope.type.shape {
      guard (try? Shape.broadcast(target, own)) == target else {
        throw ModelError(.shapeMismatch, "PR2: a slope of \(own) does not broadcast to \(target)")
      }
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let slope = try inputs.required(1)
    let chosen = sources(of: slope.shape, in: x.shape)
    guard x.element.isFloatingPoint else {
      let (values, slopes) = (x.integers(), slope.integers())
      return [
        Tensor(
          x.element, x.shape,
          integers: values.indices.map {
            values[$0] < 0 && x.element.isSigned ? values[$0] &* slopes[chosen[$0]] : values[$0]
          })
      ]
    }
    let (values, slopes) = (x.doubles(), slope.doubles())
    return [
      Tensor(
        x.element, x.shape,
        doubles: values.indices.map {
          values[$0] < 0 ? values[$0] * slopes[chosen[$0]] : values[$0]
        })
    ]
  }
}

extension PRelu: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    try .combining(.prelu, request)
  }
}

extension PRelu: ImportableOperator {
  package static let importers = [
    Importer("PRelu", 6...6) { (node, graph) throws(ModelError) in
      // A vector of slopes stands along the channels.
      let isVector = graph.type(try node.required(1)).rank == 1
      let operands = try isVector ? node.aligning(operand: 1, to: 1, in: &graph) : node.operands
      return try node.append(PRelu(), on: operands, to: &graph)
    },
    Importer("PRelu", 7...newestOpset) { _ in PRelu() },
  ]
}

extension PRelu: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, slope, gradient) = (try site.operand(0), try site.operand(1), try site.gradient())
    let below = try -x
    let byX = try gradient - (gradient - gradient * slope).gated(by: below)
    let bySlope = try site.wants(1) ? (gradient * x).gated(by: below).reduced(to: slope.shape) : nil
    return [byX, bySlope]
  }
}
