import Foundation
import ModelBundle
import ModelFamilies
import ModelIR
import ModelOperators
import ModelQuantization
import OnnxFormat
import TensorCore

/// A model as it lies in a file: an ONNX model or a bundle, told apart by their first bytes.
struct ModelFile {
  enum Form: String {
    case onnx = "ONNX model"
    case bundle = "bundle"
  }

  let path: String
  let form: Form
  let graph: Graph
  let family: FamilyModel?
  let byteCount: Int
  /// A bundle's own; none where they were not asked for.
  let goldens: [Sample]
  let record: QuantizationRecord?
  /// Nodes of the file, before what it quantized became integer operators.
  let sourceNodes: Int
  /// What a bundle says about where it came from.
  let manifest: BundleManifest?

  /// - Parameter goldens: whether a bundle's goldens are wanted.
  init(_ path: String, goldens wanted: Bool = true) throws(ModelError) {
    self.path = path
    byteCount = try ModelFile.size(path)
    guard try ModelFile.isBundle(path) else {
      form = .onnx
      let source = try OnnxReader().graph(path: path)
      let adoption = Adoption.applies(to: source) ? try Adoption(of: source) : nil
      graph = adoption?.graph ?? source
      record = adoption?.record
      sourceNodes = source.nodes.count
      family = FamilyModel(graph)
      goldens = []
      manifest = nil
      return
    }
    form = .bundle
    let contents = try BundleReader(path: path).contents(operators: allOperators, goldens: wanted)
    guard let graph = contents.graph() else {
      throw ModelError(
        .malformedInput, "bundle '\(path)' has no graph '\(BundleContents.mainGraph)'")
    }
    self.graph = graph
    sourceNodes = graph.nodes.count
    family = FamilyModel(graph)
    manifest = contents.manifest
    record = try contents.records[BundleContents.calibrationRecord].map {
      (json) throws(ModelError) in try json.decoded(as: QuantizationRecord.self)
    }
    goldens = contents.goldens.filter { $0.graph == BundleContents.mainGraph }.map { golden in
      func tensors(_ ports: [StoredGolden.Port]) -> [String: Tensor] {
        Dictionary(ports.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
      }
      return Sample(
        name: golden.name, inputs: tensors(golden.inputs), outputs: tensors(golden.outputs),
        digests: Dictionary(
          golden.digests.map { ($0.name, $0.digest.description) }, uniquingKeysWith: { $1 }))
    }
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

  var isQuantized: Bool { graph.isQuantized }
  var precision: String { isQuantized ? "int8" : "float32" }

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
