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

    package init(name: String, kind: String, tensor: Tensor) {
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
      rows.append(Row(name: layer.name, kind: layer.kind, order: order, metrics: metrics))
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
