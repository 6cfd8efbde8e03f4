import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore

/// A node that stays float in int8: why, what would change that, and what it takes of a run where that was timed.
package struct FloatNode: Encodable, Sendable {
  let name: String
  let op: String
  let reason: String
  let change: String?
  var ms: Double?

  /// Those of an int8 part that make real numbers.
  static func all(in part: ModelPart, _ times: PartTimes?) -> [FloatNode] {
    let made = Set(
      part.graph.nodes.filter { node in
        node.outputs.contains { part.graph.type($0).element.isFloatingPoint }
      }.map(\.name))
    return (part.record?.layers ?? []).compactMap { layer in
      guard let reason = layer.floatReason, made.contains(layer.name) else { return nil }
      return FloatNode(
        name: layer.name, op: layer.operatorName, reason: reason, change: layer.floatChange,
        ms: times.map { $0.steps[layer.name] ?? 0 })
    }
  }

  func titled(_ name: String) -> FloatNode {
    FloatNode(name: name, op: op, reason: reason, change: change, ms: ms)
  }

  /// Nodes by reason: those that take longest first, or the most frequent.
  static func lines(_ title: String, _ nodes: [FloatNode]) -> [String] {
    struct Cause: Hashable {
      let reason: String
      let change: String?
    }
    let groups = Dictionary(grouping: nodes) { Cause(reason: $0.reason, change: $0.change) }
      .map { (cause: $0.key, nodes: $0.value, ms: $0.value.reduce(0) { $0 + ($1.ms ?? 0) }) }
      .sorted {
        ($0.ms, $0.nodes.count, $1.cause.reason, $1.cause.change ?? "")
          > ($1.ms, $1.nodes.count, $0.cause.reason, $0.cause.change ?? "")
      }
    guard !groups.isEmpty else { return [] }
    var lines = [title]
    for (cause, nodes, ms) in groups {
      let isTimed = nodes.contains { $0.ms != nil }
      let shown = nodes.enumerated().sorted {
        ($0.element.ms ?? 0, $1.offset) > ($1.element.ms ?? 0, $0.offset)
      }
      .prefix(4).map { _, node in
        "\(node.name) (\(node.op)\(node.ms.map { ", " + Figure.milliseconds($0) } ?? ""))"
      }
      lines.append(
        "  \(nodes.count) × \(cause.reason)\(isTimed ? ": " + Figure.milliseconds(ms) : "")")
      lines.append("      " + shown.joined(separator: ", ") + (nodes.count > 4 ? ", …" : ""))
      if let change = cause.change { lines.append("      would change with \(change)") }
    }
    return lines
  }
}

/// What the steps of one int8 part take.
struct PartTimes {
  private static let runs = 5
  /// Milliseconds by the name of the node, the least of some runs.
  let steps: [String: Double]

  /// By part, of those that have integers.
  static func of(_ parts: [ModelPart]) throws(ModelError) -> [String: PartTimes] {
    var times: [String: PartTimes] = [:]
    for part in parts where part.isQuantized { times[part.name] = try PartTimes(part) }
    return times
  }

  private init(_ part: ModelPart) throws(ModelError) {
    let inputs =
      if let golden = part.goldens.first {
        try part.graph.ordered(golden.inputs)
      } else {
        try Benchmark.inputs(part.graph, batch: 1)
      }
    var runner = try Runner(part.graph, ExecutionOptions())
    var best: [StepTime] = []
    for run in 0...Self.runs {
      let profile = try runner.profile(inputs)
      if run > 0 { best = best.fastest(with: profile) }
    }
    steps = best.secondsByName.mapValues { $0 * 1000 }
  }
}

/// What floats take of a run on one thread.
package struct FloatTimings: Encodable, Sendable {
  let wholeMs: Double
  /// Nodes that compute in float.
  let floatMs: Double
  /// Between floats and integers.
  let conversionMs: Double

  init(_ parts: [ModelPart], _ times: [String: PartTimes]) {
    var (whole, float, conversion) = (0.0, 0.0, 0.0)
    for part in parts {
      guard let steps = times[part.name]?.steps else { continue }
      whole += steps.values.reduce(0, +)
      float += FloatNode.all(in: part, times[part.name]).reduce(0) { $0 + ($1.ms ?? 0) }
      for node in part.graph.nodes where node.op is Quantize || node.op is Dequantize {
        conversion += steps[node.name] ?? 0
      }
    }
    (wholeMs, floatMs, conversionMs) = (whole, float, conversion)
  }

  var text: String {
    "floats take \(Figure.milliseconds(floatMs)) of \(Figure.milliseconds(wholeMs)), and conversions to and from "
      + "integers \(Figure.milliseconds(conversionMs))"
  }
}
