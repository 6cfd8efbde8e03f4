import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import ModelPasses
import ModelRuntime
import TensorCore

/// Inputs that are the same in every run of a bundle and become part of its graphs.
///
/// What a graph in integers gives for them is computed by its own kernels, so that the bundle's outputs stay the same
/// bits. Float graphs are computed by kernels of a fixed order, so that the bundle's bytes do not depend on the CPU; their
/// outputs stay the same bits under those kernels, and within float32 rounding under others.
struct BoundInputs {
  /// What binding saved in one part.
  struct Saving: Encodable, Sendable {
    let part: String
    let inputs: [String]
    let nodesBefore: Int
    let nodes: Int
    /// Bytes of what is stored in place of computing it.
    let storedBytes: Int
    /// Bytes of constants that nothing reads any more.
    let droppedBytes: Int
    /// Of one row, on one thread; nil where made-up inputs do not run.
    let macsBefore: Int?
    let macs: Int?
    let msBefore: Double?
    let ms: Double?

    var text: String {
      var figures = ["\(nodesBefore) → \(nodes) nodes"]
      if let macsBefore, let macs {
        figures.append(
          String(format: "%.3f → %.3f GMAC", Double(macsBefore) / 1e9, Double(macs) / 1e9))
      }
      if let msBefore, let ms {
        figures.append("\(Figure.milliseconds(msBefore)) → \(Figure.milliseconds(ms)) a row")
      }
      return "\(inputs.joined(separator: ", ")) (\(part)): " + figures.joined(separator: ", ")
        + "; \(Figure.bytes(storedBytes)) stored for \(Figure.bytes(droppedBytes))"
    }
  }

  /// The prefix of what a graph says of inputs that it had.
  static let key = "bound."

  /// By part, then by input.
  private var tensors: [String: [String: Tensor]] = [:]

  /// Reads the tensors of the parts that have inputs of these names and do not get them from other parts.
  ///
  /// - Throws: `usage` for names that are twice there or that no part has, and everything that
  ///   ``PartialEvaluation`` says of tensors that do not fit.
  init(
    _ given: [(input: String, file: String)], of parts: [ModelPart], _ family: FamilyModel?,
    box: Box?
  ) throws(ModelError) {
    var seen: Set<String> = []
    for (input, file) in given {
      guard seen.insert(input).inserted else {
        throw ModelError(.usage, "input '\(input)' is bound twice")
      }
      let owners = parts.filter { $0.graph.inputs.contains { $0.name == input } }
      guard !owners.isEmpty else {
        let names = SamplePorts(parts, family?.links ?? []).inputs
        throw ModelError(
          .usage,
          "the model has no input '\(input)' to bind; it has \(names.joined(separator: ", "))")
      }
      let links = family?.links ?? []
      let open = owners.filter { part in
        !links.contains { $0.to.part == part.name && $0.to.port == input }
      }
      guard !open.isEmpty else {
        throw ModelError(.usage, "input '\(input)' comes from another part; it cannot be bound")
      }
      for part in open {
        tensors[part.name, default: [:]][input] = try during("binding '\(input)'") {
          () throws(ModelError) in try BoundInputs.tensor(file, input, part, family, box)
        }
      }
    }
    for part in parts { _ = try evaluation(of: part) }
  }

  var isEmpty: Bool { tensors.isEmpty }

  /// A number for every element, a file of a tensor, or a picture where the family makes the input of one.
  private static func tensor(
    _ file: String, _ input: String, _ part: ModelPart, _ family: FamilyModel?, _ box: Box?
  ) throws(ModelError) -> Tensor {
    switch MediaKind(file) {
    case .picture:
      guard let family, let known = family.parts.first(where: { $0.name == part.name }) else {
        throw ModelError(
          .unsupportedFeature,
          "the model is of no family that makes inputs of pictures; give .npy, .npz or .pb")
      }
      return try family.row(
        of: input, known, MediaInputs(picture: try Image(contentsOf: file), box: box))
    case .recording:
      throw ModelError(.usage, "'\(file)' changes from run to run; tensors and pictures are bound")
    case nil:
      guard let number = Double(file) else { return try Tensor(file: file, named: input) }
      let type = part.graph.inputs.first { $0.name == input }.map { part.graph.type($0.value) }
      guard let type, !type.isSequence, let dimensions = type.dimensions else {
        throw ModelError(.unknownShape, "the rank of input '\(input)' is not known; give a tensor")
      }
      let shape = try Shape(dimensions.map { $0.value ?? 1 })
      return Tensor(
        type.element, shape, doubles: [Double](repeating: number, count: shape.count))
    }
  }

  /// Nil where nothing of a part is bound.
  private func evaluation(of part: ModelPart) throws(ModelError) -> PartialEvaluation? {
    guard let bound = tensors[part.name] else { return nil }
    return try during("binding inputs of '\(part.name)'") { () throws(ModelError) in
      try PartialEvaluation(part.graph, binding: bound)
    }
  }

  /// The part without its bound inputs.
  func applied(to part: ModelPart) throws(ModelError) -> (part: ModelPart, saving: Saving?) {
    guard let evaluation = try evaluation(of: part) else { return (part, nil) }
    let result = try evaluation.result { (graph, inputs) throws(ModelError) in
      var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
      return try runner.run(inputs)
    }
    var graph = result.graph
    if !graph.isQuantized { graph = try Pipeline.bound.run(on: graph) }
    for (name, tensor) in evaluation.tensors {
      graph.metadata[BoundInputs.key + name] = "\(tensor.type) \(Digest(of: tensor))"
    }
    let figures = try? measured(part.graph, graph, evaluation.tensors)
    let saving = Saving(
      part: part.name, inputs: evaluation.tensors.keys.sorted(),
      nodesBefore: part.graph.nodes.count, nodes: graph.nodes.count,
      storedBytes: result.storedByteCount,
      droppedBytes: part.graph.constantBytes - graph.constantBytes + result.storedByteCount,
      macsBefore: figures?.before.macs, macs: figures?.after.macs, msBefore: figures?.before.ms,
      ms: figures?.after.ms)
    return (
      ModelPart(
        name: part.name, graph: graph, record: part.record, sourceNodes: part.sourceNodes), saving
    )
  }

  private typealias Figures = (macs: Int, ms: Double)

  /// Both graphs on the same made-up inputs.
  private func measured(
    _ whole: Graph, _ rest: Graph, _ bound: [String: Tensor]
  ) throws(ModelError) -> (before: Figures, after: Figures) {
    let open = try Benchmark.inputs(rest, batch: 1)
    let named = Dictionary(
      zip(rest.inputs.map(\.name), open), uniquingKeysWith: { $1 }
    ).merging(bound, uniquingKeysWith: { $1 })
    func figures(_ graph: Graph, _ inputs: [Tensor]) throws(ModelError) -> Figures {
      var runner = ModelRunner(graph)
      let macs = try runner.plan(inputs)?.multiplyAccumulates ?? 0
      var best = Double.infinity
      for _ in 0..<5 {
        let watch = Stopwatch()
        _ = try runner.run(inputs)
        best = min(best, watch.seconds * 1000)
      }
      return (macs, best)
    }
    return (try figures(whole, try whole.ordered(named)), try figures(rest, open))
  }

  /// Samples without the bound inputs, and how many were recorded with other values of them. Their
  /// outputs do not hold.
  func stripped(_ samples: [Sample], of part: ModelPart) throws(ModelError) -> ([Sample], Int) {
    guard let bound = try evaluation(of: part)?.tensors else { return (samples, 0) }
    var others = 0
    var stripped: [Sample] = []
    for sample in samples {
      let isOther = bound.contains { name, tensor in
        guard let given = sample.inputs[name] else { return false }
        return !given.repeats(tensor)
      }
      if isOther, !sample.outputs.isEmpty { others += 1 }
      stripped.append(
        Sample(
          name: sample.name, inputs: sample.inputs.filter { bound[$0.key] == nil },
          outputs: isOther ? [:] : sample.outputs))
    }
    return (stripped, others)
  }
}

extension Graph {
  fileprivate var constantBytes: Int {
    withInner.reduce(0) { sum, graph in
      graph.values.reduce(sum) { $0 + ($1.fact.constant?.byteCount ?? 0) }
    }
  }
}

extension Tensor {
  /// Whether the tensor is `other`, or its one row again and again.
  fileprivate func repeats(_ other: Tensor) -> Bool {
    guard self != other else { return true }
    guard element == other.element, shape.rank == other.shape.rank, shape.rank > 0,
      other.shape[0] == 1, shape.dimensions.dropFirst() == other.shape.dimensions.dropFirst()
    else { return false }
    let row = other.byteCount
    return (0..<shape[0]).allSatisfy { index in
      bytes[index * row..<(index + 1) * row].elementsEqual(other.bytes)
    }
  }
}
