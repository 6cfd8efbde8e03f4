import ModelIR
import ModelOperators
import TensorCore

/// What a node does to the channels of one of its operands: y = scale · x + shift, a constant for each
/// channel.
struct ChannelArithmetic {
  /// Which operand x is.
  let operand: Int
  /// Nil for 1.
  let scale: [Double]?
  /// Nil for 0.
  let shift: [Double]?

  private init?(_ operand: Int, scale: [Double]?, shift: [Double]?) {
    guard (scale ?? []).allSatisfy(\.isFinite), (shift ?? []).allSatisfy(\.isFinite) else {
      return nil
    }
    self.operand = operand
    self.scale = scale
    self.shift = shift
  }

  /// Nil for nodes that are nothing of the kind.
  ///
  /// - Parameters:
  ///   - axis: the axis of x that counts channels.
  init?(
    _ node: Node, operands: [ValueID?], in graph: Graph, axis: (_ rank: Int) -> Int, channels: Int
  ) {
    func constant(_ index: Int) -> [Double]? {
      guard let data = operands[1 - index], let rank = graph.type(data).rank,
        let id = operands[index], let tensor = graph.constant(id)
      else { return nil }
      return tensor.perChannel(rank: rank, axis: axis(rank), channels: channels)
    }
    switch node.op {
    case let op as BatchNormalization:
      guard let rank = operands[0].flatMap({ graph.type($0).rank }), axis(rank) == 1 else {
        return nil
      }
      self.init(op, operands.dropFirst().map { $0.flatMap { graph.constant($0) } }, channels)
    case is Add:
      if let shift = constant(1) {
        self.init(0, scale: nil, shift: shift)
      } else if let shift = constant(0) {
        self.init(1, scale: nil, shift: shift)
      } else {
        return nil
      }
    case is Sub:
      if let shift = constant(1) {
        self.init(0, scale: nil, shift: shift.map { -$0 })
      } else if let shift = constant(0) {
        self.init(1, scale: [Double](repeating: -1, count: channels), shift: shift)
      } else {
        return nil
      }
    case is Mul:
      if let scale = constant(1) {
        self.init(0, scale: scale, shift: nil)
      } else if let scale = constant(0) {
        self.init(1, scale: scale, shift: nil)
      } else {
        return nil
      }
    case is Div:
      guard let divisor = constant(1) else { return nil }
      self.init(0, scale: divisor.map { 1 / $0 }, shift: nil)
    default: return nil
    }
  }

  private init?(_ op: BatchNormalization, _ statistics: [Tensor?], _ channels: Int) {
    let values = statistics.compactMap { $0?.doubles() }
    guard !op.training, values.count == 4, values.allSatisfy({ $0.count == channels }) else {
      return nil
    }
    let (gamma, beta, mean, variance) = (values[0], values[1], values[2], values[3])
    let scale = gamma.indices.map {
      gamma[$0] / (variance[$0] + Double(op.epsilon)).squareRoot()
    }
    self.init(0, scale: scale, shift: scale.indices.map { beta[$0] - mean[$0] * scale[$0] })
  }
}

extension Tensor {
  /// The tensor as one value for each channel of a tensor of `rank`, whose channels are along `axis`;
  /// nil where it varies along another axis, or would broadcast that tensor to a larger one.
  func perChannel(rank: Int, axis: Int, channels: Int) -> [Double]? {
    guard element.isFloatingPoint, shape.rank <= rank, axis >= 0 else { return nil }
    for own in 0..<shape.rank where shape[own] != 1 {
      guard own + rank - shape.rank == axis, shape[own] == channels else { return nil }
    }
    let values = doubles()
    return values.count == channels ? values : [Double](repeating: values[0], count: channels)
  }
}
