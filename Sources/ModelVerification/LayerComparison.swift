import ModelIR
import ModelRuntime
import TensorCore

/// Two forms of one model, layer by layer: where does the difference come from?
///
/// Layers are matched by the name of the value, which passes and lowering keep; integers are read as the
/// reals they stand for. What has no counterpart (a value that one form fused away) is counted only.
package struct LayerComparison: Codable, Sendable, Hashable {
  /// A value that a run came past.
  package struct Layer: Sendable {
    package let name: String
    /// The kind of operator that made it.
    package let kind: String
    package let tensor: Tensor
    /// The axis that counts channels.
    package let channelAxis: Int?

    package init(name: String, kind: String, tensor: Tensor, channelAxis: Int? = nil) {
      self.channelAxis = channelAxis
      self.name = name
      self.kind = kind
      self.tensor = tensor
    }
  }

  package struct Row: Codable, Sendable, Hashable {
    package let name: String
    package let kind: String
    /// Place in the order of the form under test, from 0.
    package let order: Int
    package let metrics: Metrics
    /// The channel with the greatest share of the squared error, and that share.
    package let worstChannel: ChannelError?
    /// The share of the reference's values that the integers of this form cannot reach, their range ending before.
    package let clipped: Double
  }

  package struct ChannelError: Codable, Sendable, Hashable {
    package let channel: Int
    package let share: Double
  }

  /// Worst first: by non-finite mismatches, then by signal-to-noise ratio, then in order.
  package let rows: [Row]
  /// Values of the form under test without a counterpart of the same name and shape.
  package let unmatched: [String]

  package init(_ actual: [Layer], against expected: [Layer]) {
    let reference = Dictionary(expected.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    var rows: [Row] = []
    var unmatched: [String] = []
    for (order, layer) in actual.enumerated() {
      guard let counterpart = reference[layer.name], counterpart.shape == layer.tensor.shape,
        let metrics = try? Metrics(layer.tensor, against: counterpart)
      else {
        unmatched.append(layer.name)
        continue
      }
      rows.append(
        Row(
          name: layer.name, kind: layer.kind, order: order, metrics: metrics,
          worstChannel: LayerComparison.worstChannel(layer, counterpart),
          clipped: LayerComparison.clipped(counterpart, by: layer.tensor.quantization)))
    }
    self.rows = rows.sorted { a, b in
      let (p, q) = (a.metrics, b.metrics)
      if p.nonFiniteMismatches != q.nonFiniteMismatches {
        return p.nonFiniteMismatches > q.nonFiniteMismatches
      }
      if p.signalToNoise != q.signalToNoise { return p.signalToNoise < q.signalToNoise }
      return a.order < b.order
    }
    self.unmatched = unmatched
  }

  private static func worstChannel(_ layer: Layer, _ expected: Tensor) -> ChannelError? {
    let shape = expected.shape
    guard let axis = layer.channelAxis, axis < shape.rank, shape[axis] > 1 else { return nil }
    let inner = shape.count(axis + 1..<shape.rank)
    var errors = [Double](repeating: 0, count: shape[axis])
    let (a, b) = (layer.tensor.dequantized().floats(), expected.dequantized().floats())
    for index in a.indices {
      let error = Double(a[index]) - Double(b[index])
      if error.isFinite { errors[index / inner % shape[axis]] += error * error }
    }
    let sum = errors.reduce(0, +)
    guard sum > 0, let most = errors.max(), let channel = errors.firstIndex(of: most) else {
      return nil
    }
    return ChannelError(channel: channel, share: most / sum)
  }

  /// Values more than half a step outside of the range of `parameters`.
  private static func clipped(_ expected: Tensor, by parameters: QuantizationParameters?) -> Double
  {
    guard let parameters, parameters.axis == nil, expected.count > 0 else { return 0 }
    let (scale, zero) = (Double(parameters.scale), Double(parameters.zeroPoint))
    let range = (-128.5 - zero) * scale...(127.5 - zero) * scale
    let outside = expected.dequantized().floats().count { !range.contains(Double($0)) }
    return Double(outside) / Double(expected.count)
  }

  /// The first layer, in order of computation, whose signal-to-noise ratio is below `decibels` or that
  /// has a non-finite mismatch.
  package func first(below decibels: Double) -> Row? {
    rows.filter { $0.metrics.nonFiniteMismatches > 0 || $0.metrics.signalToNoise < decibels }
      .min { $0.order < $1.order }
  }
}

extension LayerComparison {
  /// Runs both graphs by reference on the same inputs and compares every value that they name alike.
  package init(
    _ actual: Graph, against expected: Graph, on inputs: [Tensor]
  ) throws(ModelError) {
    self.init(
      try LayerComparison.layers(of: actual, on: inputs),
      against: try LayerComparison.layers(of: expected, on: inputs))
  }

  /// The output of every node, in order.
  package static func layers(
    of graph: Graph, on inputs: [Tensor]
  ) throws(ModelError) -> [Layer] {
    var layers: [Layer] = []
    _ = try ReferenceExecutor(graph).run(inputs) { (id, tensor) throws(ModelError) in
      let kind = graph.producer(of: id).map { type(of: $0.op).name } ?? ""
      layers.append(Layer(name: graph[id].name, kind: kind, tensor: tensor))
    }
    return layers
  }
}
