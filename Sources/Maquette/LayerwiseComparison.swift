import Foundation
import ModelIR
import ModelOperators
import ModelVerification
import TensorCore

/// Two forms of one model on the same inputs, layer by layer, the worst first.
package struct LayerwiseComparison: Report {
  package struct Layer: Encodable, Sendable {
    let name: String
    let op: String
    let order: Int
    let sqnrDb: Double
    let cosine: Double
    let maxAbsError: Double
    let meanAbsError: Double
    let nonFiniteMismatches: Int
    /// The channel with the greatest share of the squared error.
    let worstChannel: Int?
    let worstChannelShare: Double?
    /// The share of B's values outside of what A's integers can reach.
    let clipped: Double
  }

  let a: String
  let b: String
  let sample: String
  let layers: [Layer]
  /// Values of A that B does not have: fused away in one of the two.
  let unmatched: [String]
  let seconds: Double

  /// - Parameters:
  ///   - path: the model under test (A).
  ///   - other: the reference (B).
  ///   - inputs: a folder of samples; the first is used.
  ///   - part: the part that is meant, where there are several.
  package init(
    _ path: String, against other: String, inputs: String, part: String? = nil,
    options: ExecutionOptions,
    progress: ProgressObserver = .silent
  ) throws(ModelError) {
    let watch = Stopwatch()
    let (first, second) = (
      try ModelFile(path, goldens: false).part(part),
      try ModelFile(other, goldens: false).part(part)
    )
    let folder = try SampleFolder(inputs)
    guard
      let sample = try folder.samples(SamplePorts(second.graph), limit: 1).first
    else { throw ModelError(.missingInput, "'\(inputs)' holds no sample") }
    progress("running \(path)", 0, of: 2)
    let actual = try LayerwiseComparison.layers(of: first.graph, sample.inputs, options)
    progress("running \(other)", 1, of: 2)
    let expected = try LayerwiseComparison.layers(of: second.graph, sample.inputs, options)
    let comparison = LayerComparison(actual, against: expected)
    a = (path as NSString).lastPathComponent
    b = (other as NSString).lastPathComponent
    self.sample = sample.name
    layers = comparison.rows.map { row in
      Layer(
        name: row.name, op: row.kind, order: row.order, sqnrDb: row.metrics.signalToNoise,
        cosine: row.metrics.cosine, maxAbsError: row.metrics.maximumAbsoluteError,
        meanAbsError: row.metrics.meanAbsoluteError,
        nonFiniteMismatches: row.metrics.nonFiniteMismatches,
        worstChannel: row.worstChannel?.channel, worstChannelShare: row.worstChannel?.share,
        clipped: row.clipped)
    }
    unmatched = comparison.unmatched
    seconds = watch.seconds
  }

  private static func layers(
    of graph: Graph, _ inputs: [String: Tensor], _ options: ExecutionOptions
  ) throws(ModelError) -> [LayerComparison.Layer] {
    var runner = try Runner(graph, options)
    var layers: [LayerComparison.Layer] = []
    _ = try runner.run(try graph.ordered(inputs)) { (id, tensor) throws(ModelError) in
      let producer = graph.producer(of: id)
      let axis = (producer?.op as? any WeightedOperator)?
        .outputChannelAxis(rank: tensor.shape.rank)
      layers.append(
        LayerComparison.Layer(
          name: graph[id].name, kind: producer.map { type(of: $0.op).name } ?? "", tensor: tensor,
          channelAxis: axis ?? (tensor.shape.rank >= 3 ? 1 : nil)))
    }
    return layers
  }

  package var text: String {
    var lines = [
      "\(a) against \(b) on \(sample): \(layers.count) layers compared, \(unmatched.count) only in \(a)"
    ]
    var table = TextTable(
      ["layer", "operator", "order", "SQNR", "cosine", "max error", "worst channel", "clipped"],
      numeric: [2, 3, 4, 5, 6, 7])
    for layer in layers.prefix(20) {
      table.add([
        layer.name, layer.op, "\(layer.order)", Figure.decibels(layer.sqnrDb),
        String(format: "%.6f", layer.cosine), Figure.error(layer.maxAbsError),
        layer.worstChannel.map {
          String(format: "%d (%.0f %%)", $0, 100 * (layer.worstChannelShare ?? 0))
        } ?? "–",
        layer.clipped > 0 ? String(format: "%.2f %%", 100 * layer.clipped) : "–",
      ])
    }
    lines += table.lines
    if layers.count > 20 { lines.append("  … \(layers.count - 20) better ones; --json lists all") }
    return lines.joined(separator: "\n")
  }
}
