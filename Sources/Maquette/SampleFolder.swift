import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import OnnxFormat
import TensorCore

/// The samples of a folder: ONNX test folders (`test_data_set_N/input_K.pb`, `output_K.pb`), `.npz` sets
/// keyed by port name, and recordings with a picture where the model's family knows what to do with them.
struct SampleFolder {
  /// Frames taken of each recording, evenly spread, and how many of them run at once.
  static let framesPerRecording = 8
  static let framesPerBatch = 2

  let path: String
  private let sets: [String]
  private let archives: [String]
  private let recordings: [String]
  private let pictures: [String]

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
    guard !sets.isEmpty || !archives.isEmpty || !recordings.isEmpty else {
      throw ModelError(
        .missingInput,
        "'\(path)' holds no samples: test_data_set_N folders, .npz sets or recordings are read")
    }
  }

  /// Calls `body` with one sample after the other; only one is in memory.
  func forEach(
    _ graph: Graph, _ family: FamilyModel?, box: Box?,
    _ body: (Sample) throws(ModelError) -> Void
  ) throws(ModelError) {
    for set in sets { try body(try testDataSet(set, graph)) }
    for archive in archives { try body(try archived(archive, graph)) }
    guard !recordings.isEmpty else { return }
    guard let family else {
      guard sets.isEmpty && archives.isEmpty else { return }
      throw ModelError(
        .unsupportedFeature,
        "'\(path)' holds recordings, but the model is of no family that knows what to do with them")
    }
    guard let picture = pictures.first else {
      throw ModelError(.missingInput, "'\(path)' holds recordings but no picture (.png)")
    }
    let image = try Image(contentsOf: path + "/" + picture)
    for name in recordings {
      let media = MediaInputs(
        recording: try Recording(contentsOf: path + "/" + name), picture: image, box: box)
      let prepared = try during("preparing '\(name)'") { () throws(ModelError) in
        try family.family.prepare(family, media)
      }
      let frames = prepared.spread(SampleFolder.framesPerRecording)
      for start in stride(from: 0, to: frames.count, by: SampleFolder.framesPerBatch) {
        let batch = Array(frames[start..<min(start + SampleFolder.framesPerBatch, frames.count)])
        try body(
          Sample(
            name: "\(name) frame \(batch[0])", inputs: try prepared.inputs(batch), outputs: [:]))
      }
    }
  }

  /// Every sample at once, for folders of goldens.
  func samples(
    _ graph: Graph, _ family: FamilyModel?, box: Box? = nil, limit: Int = .max
  ) throws(ModelError) -> [Sample] {
    var samples: [Sample] = []
    try forEach(graph, family, box: box) { sample in
      if samples.count < limit { samples.append(sample) }
    }
    return samples
  }

  private func testDataSet(_ set: String, _ graph: Graph) throws(ModelError) -> Sample {
    let folder = set.isEmpty ? path : path + "/" + set
    func tensors(_ role: String, _ ports: [ModelIR.Port]) throws(ModelError) -> [String: Tensor] {
      var found: [String: Tensor] = [:]
      for (index, port) in ports.enumerated() {
        let file = "\(folder)/\(role)_\(index).pb"
        guard FileManager.default.fileExists(atPath: file) else { continue }
        found[port.name] = try TensorFile.read(path: file).tensor
      }
      return found
    }
    let name = set.isEmpty ? (path as NSString).lastPathComponent : set
    return Sample(
      name: name, inputs: try tensors("input", graph.inputs),
      outputs: try tensors("output", graph.outputs))
  }

  private func archived(_ name: String, _ graph: Graph) throws(ModelError) -> Sample {
    let inputNames = Set(graph.inputs.map(\.name))
    let outputNames = Set(graph.outputs.map(\.name))
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
            + (graph.inputs + graph.outputs).map(\.name).joined(separator: ", "))
      }
    }
    return Sample(name: name, inputs: inputs, outputs: outputs)
  }
}
