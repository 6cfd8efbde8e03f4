import Foundation
import ModelBundle
import ModelFamilies
import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import OnnxFormat
import TensorCore

/// A graph of a model file with what the file knows of it.
struct ModelPart {
  let name: String
  var graph: Graph
  /// A bundle's own; none where they were not asked for.
  var goldens: [Sample] = []
  var record: QuantizationRecord?
  /// Nodes of the file, before what it quantized became integer operators, where it did.
  var sourceNodes: Int?

  var isQuantized: Bool { graph.isQuantized }
  var precision: String { isQuantized ? "int8" : "float32" }

  /// The same part with another graph, of which nothing is known.
  func with(graph: Graph) -> ModelPart { ModelPart(name: name, graph: graph) }
}

/// A model as it lies in a file: an ONNX model or a bundle, told apart by their first bytes. A bundle may
/// have several parts; an ONNX model is one, called `main`.
struct ModelFile {
  enum Form: String {
    case onnx = "ONNX model"
    case bundle = "bundle"
  }

  let path: String
  let form: Form
  private(set) var parts: [ModelPart]
  let family: FamilyModel?
  let join: BundleJoin?
  /// What a bundle says of its own adaptation.
  let adaptation: AdaptationRecord?
  let byteCount: Int
  /// What each of a bundle's eight-bit weights takes of the file, where it has any.
  let bitsPerWeight: Double?
  /// What a bundle says about where it came from.
  let manifest: BundleManifest?

  /// - Parameters:
  ///   - goldens: whether a bundle's goldens are wanted.
  ///   - bank: the bank that the memories of a bundle read in place of the one in use.
  ///   - isLate: weights of a bundle stay in it until a plan packs them, for those who do nothing with them but run.
  init(
    _ path: String, goldens wanted: Bool = true, bank: String? = nil, isLate: Bool = false
  ) throws(ModelError) {
    OpenBLASMatrices.endThreads()
    self.path = path
    byteCount = try ModelFile.size(path)
    guard try ModelFile.isBundle(path) else {
      form = .onnx
      guard bank == nil else {
        throw ModelError(.usage, "'\(path)' is no bundle, so that it has no banks")
      }
      let source = try OnnxReader().graph(path: path)
      let adoption = Adoption.applies(to: source) ? try Adoption(of: source) : nil
      let graph = adoption?.graph ?? source
      parts = [
        ModelPart(
          name: BundleContents.mainGraph, graph: graph, record: adoption?.record,
          sourceNodes: source.nodes.count)
      ]
      family = FamilyModel(graph)
      join = nil
      adaptation = nil
      manifest = nil
      bitsPerWeight = nil
      return
    }
    form = .bundle
    let reader = try BundleReader(path: path)
    bitsPerWeight = reader.header.bitsPerWeight
    var contents = try reader.contents(
      operators: allOperators, goldens: wanted, banks: bank != nil, isLate: isLate && bank == nil)
    if let bank { try contents.read(bank: bank) }
    guard !contents.graphs.isEmpty else {
      throw ModelError(.malformedInput, "bundle '\(path)' has no graph")
    }
    // Without a join only the graph of its name is the model; others are what a later version knows.
    let graphs =
      contents.join == nil
      ? contents.graphs.filter { $0.name == BundleContents.mainGraph } : contents.graphs
    guard !graphs.isEmpty else {
      throw ModelError(
        .malformedInput, "bundle '\(path)' has no graph '\(BundleContents.mainGraph)'")
    }
    parts = try graphs.map { (named) throws(ModelError) in
      try ModelFile.part(named, of: contents)
    }
    join = contents.join
    adaptation = try contents.records[AdaptationRecord.record].map { (json) throws(ModelError) in
      let record = try AdaptationRecord(json)
      try record.check(against: contents.graphs)
      return record
    }
    manifest = contents.manifest
    family = FamilyModel(
      graphs.map { (name: $0.name, graph: $0.graph) },
      settings: ModelFile.lines(contents.join?.settings ?? [:]))
  }

  private static func part(
    _ named: BundleContents.NamedGraph, of contents: BundleContents
  ) throws(ModelError) -> ModelPart {
    func tensors(_ ports: [StoredGolden.Port]) -> [String: Tensor] {
      Dictionary(ports.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    }
    let record = contents.records[BundleContents.calibrationRecord(of: named.name)]
    return ModelPart(
      name: named.name, graph: named.graph,
      goldens: contents.goldens.filter { $0.graph == named.name }.map { golden in
        Sample(
          name: golden.name, inputs: tensors(golden.inputs), outputs: tensors(golden.outputs),
          digests: Dictionary(
            golden.digests.map { ($0.name, $0.digest.description) }, uniquingKeysWith: { $1 }))
      },
      record: try record.map { (json) throws(ModelError) in
        try json.decoded(as: QuantizationRecord.self)
      })
  }

  /// Settings that are lists of lines; what a later version may have besides is left alone.
  private static func lines(_ settings: [String: JSON]) -> [String: [String]] {
    settings.compactMapValues { value in
      guard case .array(let entries) = value else { return nil }
      return entries.compactMap { entry in
        if case .string(let line) = entry { line } else { nil }
      }
    }
  }

  /// The same model with other graphs.
  func with(parts: [ModelPart]) -> ModelFile {
    var file = self
    file.parts = parts
    return file
  }

  /// The part of a name, several whose names are joined by ``PartChain/separator`` as one, or the only one.
  ///
  /// - Throws: `usage` where there is none of the name, or several and no name.
  func part(_ name: String?) throws(ModelError) -> ModelPart {
    let names = parts.map(\.name).joined(separator: ", ")
    guard let name else {
      guard parts.count == 1 else {
        throw ModelError(.usage, "the model has the parts \(names): say which with --part")
      }
      return parts[0]
    }
    let meant = name.components(separatedBy: PartChain.separator)
    if meant.count > 1, let family { return try part(try family.chain(meant)) }
    guard let part = parts.first(where: { $0.name == name }) else {
      throw ModelError(.usage, "the model has no part '\(name)'; it has \(names)")
    }
    return part
  }

  /// Parts as one, without goldens.
  func part(_ chain: PartChain) throws(ModelError) -> ModelPart {
    let graphs = try chain.parts.map { (part) throws(ModelError) in
      (name: part.name, graph: try self.part(part.name).graph)
    }
    return ModelPart(
      name: chain.name,
      graph: try Graph(joining: graphs, links: chain.links, outputs: chain.outputs))
  }

  /// The parts that are meant: the one of a name, or all.
  func parts(_ name: String?) throws(ModelError) -> [ModelPart] {
    try name.map { (name) throws(ModelError) in [try part(name)] } ?? parts
  }

  private static func size(_ path: String) throws(ModelError) -> Int {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(.missingInput, "there is no file '\(path)'")
    }
    guard !isFolder.boolValue else {
      throw ModelError(.missingInput, "'\(path)' is a folder, not a model")
    }
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return (attributes?[.size] as? Int) ?? 0
  }

  private static func isBundle(_ path: String) throws(ModelError) -> Bool {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw ModelError(.inputOutput, "'\(path)' cannot be opened")
    }
    defer { try? file.close() }
    let head = (try? file.read(upToCount: 4)) ?? nil
    return head.map { [UInt8]($0) } == [0x89, 0x4D, 0x41, 0x51]
  }

  var isQuantized: Bool { parts.contains(where: \.isQuantized) }
  var precision: String { isQuantized ? "int8" : "float32" }

  /// What the family demands of a part's outputs.
  func demands(on part: ModelPart) -> [String: ModelFamily.Agreement] {
    family?.demands(onPart: part.name) ?? [:]
  }

  /// The files that the model came from: those that a bundle recorded, or this one.
  func sources() throws(ModelError) -> [BundleManifest.Source] {
    if let manifest { return manifest.sources }
    let bytes = try FileAccess.read(path)
    return [
      BundleManifest.Source(
        name: (path as NSString).lastPathComponent, sha256: Digest(of: bytes),
        byteCount: bytes.count)
    ]
  }
}

extension Graph {
  var isQuantized: Bool { values.contains { $0.type.quantization != nil } }
}

/// One set of inputs by port name, and the outputs that are known for it.
struct Sample {
  let name: String
  let inputs: [String: Tensor]
  let outputs: [String: Tensor]
  /// SHA-256 of outputs that a bundle demands to the last bit.
  var digests: [String: String] = [:]
}
