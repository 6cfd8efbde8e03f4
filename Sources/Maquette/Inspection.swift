import Foundation
import ModelBundle
import ModelFamilies
import ModelIR
import ModelOperators
import ModelPasses
import ModelQuantization
import TensorCore

/// What a model is: its family, ports, operators, weights, and what of it runs on integers.
package struct Inspection: Report {
  package struct Port: Encodable, Sendable {
    let name: String
    let type: String
  }

  package struct OperatorCount: Encodable, Sendable {
    let name: String
    let count: Int
    /// Of them, those that work on integers.
    let int8: Int
  }

  package struct Weights: Encodable, Sendable {
    let element: String
    let tensors: Int
    let elements: Int
    let bytes: Int
  }

  let file: String
  let form: String
  let fileBytes: Int
  let precision: String
  let family: String?
  let traits: [String: String]
  let metadata: [String: String]
  /// Name and SHA-256 of the files that a bundle was made of.
  let sources: [String: String]
  /// Options that shaped a bundle.
  let options: [String: String]
  let inputs: [Port]
  let outputs: [Port]
  let nodes: Int
  let operators: [OperatorCount]
  let parameters: Int
  let weights: [Weights]
  /// What each of a bundle's eight-bit weights takes of the file.
  let bitsPerWeight: Double?
  let goldens: Int
  /// The file was quantized before Maquette read it, and its scales and zero points are kept.
  let adopted: Bool
  let calibrationMethod: String?
  let calibrationSamples: Int?
  let coverage: IntegerCoverage?
  /// How layers came to their forms, and what that was expected to give and gave, by part.
  let plans: [PrecisionPlan]
  /// Layers that read 16 bits, by the reason why.
  let wideLayers: [String: Int]
  let floatNodes: [FloatNode]
  /// What floats take of a run, where it was timed.
  let timings: FloatTimings?
  /// What of a float model would stay float in int8, once it is optimised.
  let int8FloatNodes: [FloatNode]

  /// Memories that leave out slots of small shares.
  let sparseMemories: [SparseMemory]

  /// Parts with their roles, where there are several.
  let parts: [String]
  /// What of a part becomes an input of another.
  let joins: [String]
  /// Lines that the family was told, by name.
  let settings: [String: Int]
  /// Why a graph that resembles a family is not of it.
  let nearMisses: [String]

  /// - Parameter timed: whether each int8 part runs a few times on its first golden, or on made-up inputs, to tell what floats
  ///   take of it.
  package init(of path: String, timed: Bool = false) throws(ModelError) {
    let file = try ModelFile(path)
    self.file = (path as NSString).lastPathComponent
    form = file.form.rawValue
    fileBytes = file.byteCount
    precision = file.precision
    family = file.family?.family.name
    let several = file.parts.count > 1
    func titled(_ part: String, _ name: String) -> String { several ? "\(part).\(name)" : name }
    traits = Dictionary(
      (file.family?.parts ?? []).flatMap { part in
        part.traits.map { (titled(part.name, $0.name), $0.value) }
      }, uniquingKeysWith: { $1 })
    metadata = Dictionary(
      file.parts.flatMap { part in
        part.graph.metadata.filter { !$0.key.hasPrefix("family") }
          .map { (titled(part.name, $0.key), $0.value) }
      }, uniquingKeysWith: { $1 })
    sources = Dictionary(
      (file.manifest?.sources ?? []).map { ($0.name, $0.sha256) }, uniquingKeysWith: { $1 })
    options = file.manifest?.options ?? [:]
    func ports(_ ports: KeyPath<Graph, [ModelIR.Port]>) -> [Port] {
      file.parts.flatMap { part in
        part.graph[keyPath: ports].map {
          Port(name: titled(part.name, $0.name), type: part.graph.type($0.value).description)
        }
      }
    }
    inputs = ports(\.inputs)
    outputs = ports(\.outputs)
    // Graphs within nodes count like those around them.
    let graphs = file.parts.flatMap(\.graph.withInner)
    nodes = graphs.reduce(0) { $0 + $1.nodes.count }
    (operators, weights) = Inspection.counts(graphs)
    bitsPerWeight = file.bitsPerWeight
    parameters = weights.reduce(0) { $0 + $1.elements }
    goldens = file.parts.reduce(0) { $0 + $1.goldens.count }
    let records = file.parts.compactMap(\.record)
    adopted = records.contains { $0.method == nil }
    calibrationMethod = records.first?.method?.rawValue
    calibrationSamples = records.map(\.samples).max()
    wideLayers = records.flatMap(\.layers).compactMap(\.wideReason)
      .reduce(into: [:]) { $0[$1.text, default: 0] += 1 }
    plans = records.compactMap(\.precisionPlan)
    coverage = records.isEmpty ? nil : IntegerCoverage(file.parts)
    sparseMemories = try SparseMemory.all(in: file.parts)
    let times = timed ? try PartTimes.of(file.parts) : [:]
    timings = times.isEmpty ? nil : FloatTimings(file.parts, times)
    floatNodes = file.parts.flatMap { part in
      FloatNode.all(in: part, times[part.name]).map { $0.titled(titled(part.name, $0.name)) }
    }
    int8FloatNodes = file.parts.flatMap { part in
      Inspection.preview(part, file.family).map { $0.titled(titled(part.name, $0.name)) }
    }
    parts =
      several
      ? file.parts.map { part in
        let role = file.join?.parts.first { $0.graph == part.name }?.role
        return "\(part.name)\(role.map { $0 == part.name ? "" : " (\($0))" } ?? ""), "
          + "\(part.graph.nodes.count) nodes, \(part.precision)"
      } : []
    joins = (file.join?.links ?? []).map { "\($0.from) → \($0.to) (\($0.rule))" }
    settings = (file.family?.settings ?? [:]).mapValues(\.count)
    nearMisses =
      file.family == nil
      ? allFamilies.flatMap { family in
        file.parts.flatMap { family.nearMiss($0.graph) }.map { "\(family.name): \($0)" }
      } : []
  }

  /// What of a float part would stay float in int8; nothing where the part cannot be optimised.
  private static func preview(_ part: ModelPart, _ family: FamilyModel?) -> [FloatNode] {
    guard !part.isQuantized, part.record == nil,
      let optimised = try? Pipeline.portable.run(on: part.graph),
      let prepared = try? Quantizer.prepared(optimised)
    else { return [] }
    var quantizer = Quantizer()
    quantizer.keepFloat(by: family, in: prepared)
    return zip(prepared.nodes, quantizer.preview(prepared)).compactMap { node, layer in
      guard let reason = layer.floatReason, let output = node.outputs.first,
        prepared.type(output).element.isFloatingPoint
      else { return nil }
      return FloatNode(
        name: layer.name, op: layer.operatorName, reason: reason, change: layer.floatChange)
    }
  }

  private static func counts(_ graphs: [Graph]) -> ([OperatorCount], [Weights]) {
    var counts: [String: (count: Int, int8: Int)] = [:]
    var kinds: [String: (tensors: Int, elements: Int, bytes: Int)] = [:]
    for graph in graphs {
      for node in graph.nodes {
        counts[type(of: node.op).name, default: (0, 0)].count += 1
        if graph.worksOnIntegers(node) { counts[type(of: node.op).name, default: (0, 0)].int8 += 1 }
      }
      for value in graph.values where value.producer == nil {
        guard let constant = value.fact.constant else { continue }
        let found = kinds[constant.element.rawValue, default: (0, 0, 0)]
        kinds[constant.element.rawValue] = (
          found.tensors + 1, found.elements + constant.count, found.bytes + constant.byteCount
        )
      }
    }
    return (
      counts.sorted { $0.key < $1.key }.map {
        OperatorCount(name: $0.key, count: $0.value.count, int8: $0.value.int8)
      },
      kinds.sorted { $0.key < $1.key }.map {
        Weights(
          element: $0.key, tensors: $0.value.tensors, elements: $0.value.elements,
          bytes: $0.value.bytes)
      }
    )
  }

  package var text: String {
    var lines = ["\(file): \(form), \(precision), \(Figure.bytes(fileBytes))"]
    if let family {
      let title = allFamilies.first { $0.name == family }?.title ?? family
      lines.append("family     \(family) (\(title))")
      for trait in traits.sorted(by: { $0.key < $1.key }) {
        lines.append("           \(trait.key) = \(trait.value)")
      }
    } else {
      lines.append("family     none that Maquette knows; converted as a plain graph")
      for miss in nearMisses { lines.append("           not \(miss)") }
    }
    for part in parts { lines.append("part       \(part)") }
    for join in joins { lines.append("join       \(join)") }
    for item in settings.sorted(by: { $0.key < $1.key }) {
      lines.append("setting    \(item.key): \(item.value) lines")
    }
    for item in metadata.sorted(by: { $0.key < $1.key }) {
      lines.append("metadata   \(item.key) = \(item.value)")
    }
    for item in sources.sorted(by: { $0.key < $1.key }) {
      lines.append("made of    \(item.key), SHA-256 \(item.value.prefix(16))…")
    }
    for item in options.sorted(by: { $0.key < $1.key }) {
      lines.append("option     \(item.key) = \(item.value)")
    }
    for port in inputs { lines.append("input      \(port.name)  \(port.type)") }
    for port in outputs { lines.append("output     \(port.name)  \(port.type)") }
    lines.append("parameters \(Figure.count(parameters))")
    var table = TextTable(["weights", "tensors", "elements", "size"], numeric: [1, 2, 3])
    for item in weights {
      table.add([
        item.element, "\(item.tensors)", Figure.count(item.elements), Figure.bytes(item.bytes),
      ])
    }
    lines += table.lines
    if let bitsPerWeight { lines.append("stored     \(Figure.bits(bitsPerWeight)) a weight") }
    var kinds = TextTable(["operator", "nodes", "on int8"], numeric: [1, 2])
    for item in operators { kinds.add([item.name, "\(item.count)", "\(item.int8)"]) }
    kinds.add(["all", "\(nodes)", "\(operators.reduce(0) { $0 + $1.int8 })"])
    lines += kinds.lines
    if goldens > 0 { lines.append("goldens    \(goldens)") }
    if adopted { lines.append("quantized  by the file: its scales and zero points are kept") }
    if let calibrationMethod, let calibrationSamples {
      lines.append("calibrated \(calibrationMethod), \(calibrationSamples) samples")
    }
    if let coverage { lines.append("on int8    \(coverage.text)") }
    for plan in plans {
      lines += ["planned    \(plan.formsText)"] + plan.figureLines + plan.layerLines
    }
    for (reason, count) in wideLayers.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) }) {
      lines.append("16 bits    \(count) \(count == 1 ? "layer" : "layers"): \(reason)")
    }
    for memory in sparseMemories { lines.append("sparse     \(memory.text)") }
    lines += FloatNode.lines("what stays float, and why:", floatNodes)
    if let timings { lines.append(timings.text) }
    lines += FloatNode.lines("what would stay float in int8, and why:", int8FloatNodes)
    return lines.joined(separator: "\n")
  }
}

/// The operators that Maquette has, and what of ONNX each reads.
package struct OperatorTable: Report {
  package struct Row: Encodable, Sendable {
    let name: String
    let onnx: [String]
    let int8: Bool
  }

  let operators: [Row]

  package init() {
    operators = importableOperators.map { op in
      Row(
        name: op.name, onnx: op.readVersions.map(\.description),
        int8: op is any IntegerOperator.Type)
    }.sorted { $0.name < $1.name }
  }

  package var text: String {
    var table = TextTable(["operator", "int8", "ONNX kinds and opsets"])
    for row in operators {
      table.add([row.name, row.int8 ? "yes" : "–", row.onnx.joined(separator: ", ")])
    }
    return "\(operators.count) operators\n" + table.lines.joined(separator: "\n")
  }
}
