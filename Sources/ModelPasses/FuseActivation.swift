import ModelIR
import ModelOperators
import TensorCore

/// An activation into the convolution or matrix product that makes its operand, where nothing else reads that.
///
///     %1 = Conv(%x, w, b)
///     %2 = Relu(%1)            →    %2 = Conv(%x, w, b) activation=relu
///
/// Relu, LeakyRelu, PRelu with constant slopes, Clip with constant limits, Sigmoid, Tanh, the exact Gelu,
/// Swish with α = 1 and HardSwish. Exact: the epilogue applies the same formula, one rounding earlier.
package struct FuseActivation: Rewrite {
  package static let name = "fuse-activation"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized, let producer = site.fusibleProducer(0),
      let activation = FuseActivation.activation(of: node, producer.op, at: site)
    else { return nil }
    var op = producer.op
    op.epilogue = activation.epilogue
    var operands = producer.node.inputs
    if let slope = activation.slope {
      let name = site.operand(1).map { site.graph[$0].name } ?? node.name
      operands = setting(4, of: operands, to: site.graph.addConstant(slope, named: name))
    }
    return try site.replace(node, by: op, to: operands, after: producer.node)
  }

  private static func activation(
    of node: Node, _ producer: any FusibleOperator, at site: RewriteSite
  ) -> (epilogue: Epilogue, slope: Tensor?)? {
    switch node.op {
    case is Relu: return (Epilogue(.relu), nil)
    case let op as LeakyRelu: return (Epilogue(.leakyRelu, alpha: op.alpha), nil)
    case is Sigmoid: return (Epilogue(.sigmoid), nil)
    case is Tanh: return (Epilogue(.tanh), nil)
    case is HardSwish: return (Epilogue(.hardSwish), nil)
    case let op as Gelu where op.approximation == .none: return (Epilogue(.gelu), nil)
    case let op as Swish where op.alpha == 1: return (Epilogue(.silu), nil)
    case is Clip:
      guard let lower = limit(1, of: site, absent: -.infinity),
        let upper = limit(2, of: site, absent: .infinity), lower <= upper
      else { return nil }
      return (Epilogue(.clip, lower: lower, upper: upper), nil)
    case is PRelu:
      guard let slope = slope(producer, at: site) else { return nil }
      return (Epilogue(.prelu), slope)
    default: return nil
    }
  }

  private static func limit(_ index: Int, of site: RewriteSite, absent: Float) -> Float? {
    guard let id = site.operand(index) else { return absent }
    guard let limit = site.graph.constant(id), limit.count == 1 else { return nil }
    return limit.floats()[0]
  }

  /// The slope as one element, or one for each channel.
  private static func slope(_ producer: any FusibleOperator, at site: RewriteSite) -> Tensor? {
    guard let slope = site.constant(1), let dimensions = site.type(0)?.dimensions else {
      return nil
    }
    if slope.count == 1, let shape = try? Shape([1]) { return try? slope.reshaped(to: shape) }
    let axis = producer.channelAxis(rank: dimensions.count)
    guard let channels = dimensions[axis].value,
      let values = slope.perChannel(rank: dimensions.count, axis: axis, channels: channels),
      let shape = try? Shape([channels])
    else { return nil }
    return Tensor(slope.element, shape, doubles: values)
  }
}
