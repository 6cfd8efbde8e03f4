import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import OnnxFormat
import TensorCore

/// The samples of a folder: ONNX test folders (`test_data_set_N/input_K.pb`, `output_K.pb`), `.npz` sets
/// keyed by port name, and media where the model's family knows what to do with them: recordings with a
/// picture of a face, folders of frames, photographs.
struct SampleFolder {
  let path: String
  private let sets: [String]
  private let archives: [String]
  private let recordings: [String]
  private let pictures: [String]
  /// Folders of frames.
  private let videos: [String]

  /// - Throws: `missing-input` where there is no such folder or nothing in it is a sample.
  init(_ path: String) throws(ModelError) {
    self.path = path
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(.missingInput, "there is no folder '\(path)'")
    }
    guard isFolder.boolValue else {
      throw ModelError(.missingInput, "'\(path)' is a file; a folder of samples is needed")
    }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw ModelError(.inputOutput, "'\(path)' cannot be read: \(error.localizedDescription)")
    }
    func ending(_ suffixes: String...) -> [String] {
      names.filter { name in suffixes.contains { name.lowercased().hasSuffix($0) } }
        .sorted { $0.localizedStandardCompare($1) == .orderedAscending }
    }
    let isSet = names.contains("input_0.pb")
    sets =
      isSet
      ? [""]
      : names.filter { $0.hasPrefix("test_data_set_") }
        .sorted { $0.localizedStandardCompare($1) == .orderedAscending }
    archives = ending(".npz")
    recordings = ending(".wav", ".flac", ".ogg")
    pictures = ending(".png")
    videos = names.filter { name in
      !name.hasPrefix("test_data_set_")
        && ((try? FileManager.default.contentsOfDirectory(atPath: path + "/" + name)) ?? [])
          .contains { $0.lowercased().hasSuffix(".png") }
    }.sorted { $0.localizedStandardCompare($1) == .orderedAscending }
    guard
      !sets.isEmpty || !archives.isEmpty || !recordings.isEmpty || !pictures.isEmpty
        || !videos.isEmpty
    else {
      throw ModelError(
        .missingInput,
        "'\(path)' holds no samples: test_data_set_N folders, .npz sets or media are read")
    }
  }

  /// Calls `body` with one sample after the other; only a few are in memory.
  func forEach(
    _ ports: SamplePorts, _ body: (Sample) throws(ModelError) -> Void
  ) throws(ModelError) {
    for set in sets { try body(try testDataSet(set, ports)) }
    for start in stride(from: 0, to: archives.count, by: Self.readTogether) {
      let names = archives[start..<min(start + Self.readTogether, archives.count)]
      let samples = try concurrently(names.count) { (index) throws(ModelError) in
        try archived(names[start + index], ports)
      }
      for sample in samples { try body(sample) }
    }
  }

  /// Archives that are read at a time.
  private static let readTogether = 2

  /// Every sample at once, for folders of goldens.
  func samples(_ ports: SamplePorts, limit: Int = .max) throws(ModelError) -> [Sample] {
    guard hasTensors else {
      throw ModelError(
        .missingInput, "'\(path)' holds media only; goldens are .npz sets or test folders")
    }
    var samples: [Sample] = []
    try forEach(ports) { sample in
      if samples.count < limit { samples.append(sample) }
    }
    return samples
  }

  var hasTensors: Bool { !sets.isEmpty || !archives.isEmpty }

  /// Whether there are media that `family`, or any family where nil, starts from.
  func hasMedia(for family: ModelFamily?) -> Bool {
    guard let family else { return !recordings.isEmpty || !videos.isEmpty || !pictures.isEmpty }
    return switch SampleFolder.leading(family) {
    case .audio: !recordings.isEmpty
    case .video: !videos.isEmpty
    case .image: !pictures.isEmpty
    default: false
    }
  }

  /// The medium that decides how many samples there are.
  private static func leading(_ family: ModelFamily) -> ModelFamily.Medium? {
    family.media.first { [.audio, .video, .image].contains($0) }
  }

  /// Calls `body` with the media of each sample: each recording, video or picture, with the face beside
  /// the recordings.
  func forEachMedia(
    _ family: ModelFamily, box: Box?, _ body: (String, MediaInputs) throws(ModelError) -> Void
  ) throws(ModelError) {
    var request = MediaRequest()
    request.box = box
    switch SampleFolder.leading(family) {
    case .audio:
      if family.media.contains(.face) {
        // A network that has its face needs none.
        request.face = pictures.first.map { path + "/" + $0 }
      }
      for name in recordings {
        request.audio = path + "/" + name
        request.text = family.media.contains(.text) ? try said(in: name) : nil
        try body(name, try request.load(for: family))
      }
    case .video:
      for name in videos {
        request.video = path + "/" + name
        let sound = recordings.first { ($0 as NSString).deletingPathExtension == name }
        request.audio = family.media.contains(.audio) ? sound.map { path + "/" + $0 } : nil
        try body(name, try request.load(for: family))
      }
    case .image:
      for name in pictures {
        request.image = path + "/" + name
        try body(name, try request.load(for: family))
      }
    default:
      throw ModelError(
        .unsupportedFeature, "the \(family.title) makes no calibration samples of media")
    }
  }

  /// The text that lies beside a recording; nil where none does.
  private func said(in recording: String) throws(ModelError) -> String? {
    let file = path + "/" + (recording as NSString).deletingPathExtension + ".txt"
    guard FileManager.default.fileExists(atPath: file) else { return nil }
    guard let text = String(validating: try FileAccess.read(file), as: UTF8.self) else {
      throw ModelError(.malformedInput, "'\(file)' is not UTF-8")
    }
    return text
  }

  private func testDataSet(_ set: String, _ graph: SamplePorts) throws(ModelError) -> Sample {
    let folder = set.isEmpty ? path : path + "/" + set
    func tensors(_ role: String, _ ports: [String]) throws(ModelError) -> [String: Tensor] {
      var found: [String: Tensor] = [:]
      for (index, port) in ports.enumerated() {
        let file = "\(folder)/\(role)_\(index).pb"
        guard FileManager.default.fileExists(atPath: file) else { continue }
        found[port] = try TensorFile.read(path: file).tensor
      }
      return found
    }
    let name = set.isEmpty ? (path as NSString).lastPathComponent : set
    return Sample(
      name: name, inputs: try tensors("input", graph.inputs),
      outputs: try tensors("output", graph.outputs))
  }

  private func archived(_ name: String, _ graph: SamplePorts) throws(ModelError) -> Sample {
    let (inputNames, outputNames) = (Set(graph.inputs), Set(graph.outputs))
    var (inputs, outputs): ([String: Tensor], [String: Tensor]) = ([:], [:])
    for (key, tensor) in try NumpyArchive.read(path: path + "/" + name) {
      if inputNames.contains(key) {
        inputs[key] = tensor
      } else if outputNames.contains(key) {
        outputs[key] = tensor
      } else {
        throw ModelError(
          .invalidValue,
          "'\(name)' has an array '\(key)'; the model's ports are "
            + (graph.inputs + graph.outputs).joined(separator: ", "))
      }
    }
    return Sample(name: name, inputs: inputs, outputs: outputs)
  }
}

/// The ports that a sample's tensors are for.
struct SamplePorts {
  let inputs: [String]
  let outputs: [String]

  init(_ graph: Graph) {
    inputs = graph.inputs.map(\.name)
    outputs = graph.outputs.map(\.name)
  }

  /// What comes from outside of parts that feed each other, and everything that comes out.
  init(_ parts: [ModelPart], _ links: [ModelFamily.Link]) {
    func unique(_ names: [String]) -> [String] {
      names.reduce(into: []) { if !$0.contains($1) { $0.append($1) } }
    }
    inputs = unique(
      parts.flatMap { part in
        part.graph.inputs.map(\.name).filter { port in
          !links.contains { $0.to.part == part.name && $0.to.port == port }
        }
      })
    outputs = unique(parts.flatMap { $0.graph.outputs.map(\.name) })
  }
}
