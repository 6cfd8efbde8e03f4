import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import OnnxFormat
import TensorCore

/// One model on given inputs; outputs become files.
package struct Execution: Sendable {
  package var model: String
  /// File of each input by name: `.npy`, `.npz`, `.pb`, and recordings and pictures where the model's
  /// family knows what to do with them.
  package var inputs: [(name: String, file: String)]
  /// The folder for the outputs.
  package var output: String
  /// Where the face is in the picture.
  package var box: Box?
  package var options = ExecutionOptions()

  /// Frames that run at once.
  static let batch = 8
  /// Frames of the sheet that shows all of a run at a glance.
  static let sheetFrames = 32

  package init(model: String, inputs: [(name: String, file: String)], output: String) {
    self.model = model
    self.inputs = inputs
    self.output = output
  }

  package struct Output: Encodable, Sendable {
    let name: String
    let type: String
    let file: String
    let digest: String
  }

  package struct Outcome: Report {
    let model: String
    let precision: String
    let outputs: [Output]
    let frames: Int?
    let framesFolder: String?
    let sheet: String?
    let seconds: Double
    /// Running the model alone.
    let runSeconds: Double

    package var text: String {
      var lines = [
        "\(model) (\(precision)) ran in \(Figure.milliseconds(runSeconds * 1000))"
          + (frames.map {
            ": \($0) frames, \(String(format: "%.1f", Double($0) / runSeconds)) a second"
          }
            ?? "")
      ]
      var table = TextTable(["output", "type", "file", "digest"])
      for output in outputs {
        table.add([output.name, output.type, output.file, String(output.digest.prefix(12))])
      }
      lines += table.lines
      if let framesFolder { lines.append("  frames are in \(framesFolder)") }
      if let sheet { lines.append("  at a glance: \(sheet)") }
      return lines.joined(separator: "\n")
    }
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let watch = Stopwatch()
    let file = try ModelFile(model, goldens: false)
    var runner = try Runner(file.graph, options)
    let isMedia = inputs.contains { MediaKind($0.file) != nil }
    return isMedia
      ? try runMedia(file, &runner, watch, progress) : try runTensors(file, &runner, watch)
  }

  private func runTensors(
    _ file: ModelFile, _ runner: inout Runner, _ watch: Stopwatch
  ) throws(ModelError) -> Outcome {
    var tensors: [String: Tensor] = [:]
    try file.graph.checkNames(inputs.map(\.name))
    for input in inputs {
      tensors[input.name] = try tensor(input.file, named: input.name)
    }
    let ordered = try runner.ordered(tensors)
    let timed = Stopwatch()
    let results = try runner.run(ordered)
    let seconds = timed.seconds
    try MediaFile.makeFolder(output)
    var outputs: [Output] = []
    for (port, tensor) in zip(file.graph.outputs, results) {
      outputs.append(try write(tensor, port.name))
    }
    return Outcome(
      model: (model as NSString).lastPathComponent, precision: file.precision, outputs: outputs,
      frames: nil, framesFolder: nil, sheet: nil, seconds: watch.seconds, runSeconds: seconds)
  }

  private func runMedia(
    _ file: ModelFile, _ runner: inout Runner, _ watch: Stopwatch, _ progress: ProgressObserver
  ) throws(ModelError) -> Outcome {
    guard let family = file.family else {
      throw ModelError(
        .unsupportedFeature,
        "the model is of no family that makes inputs of recordings and pictures; give .npy, .npz or .pb"
      )
    }
    let media = try media(file.graph)
    let prepared = try family.family.prepare(family, media)
    let folder = output + "/frames"
    try MediaFile.makeFolder(folder)
    var runSeconds = 0.0
    var gathered: [String: [Tensor]] = [:]
    var sheet: [Image] = []
    let shown = Set(prepared.spread(Self.sheetFrames))
    for start in stride(from: 0, to: prepared.count, by: Self.batch) {
      // The last batch is filled up with its last frame, so that one plan serves all.
      let indices = (start..<start + Self.batch).map { min($0, prepared.count - 1) }
      let used = min(Self.batch, prepared.count - start)
      let inputs = try prepared.inputs(indices)
      let timed = Stopwatch()
      let outputs = try runner.run(inputs)
      runSeconds += timed.seconds
      let pictures = try family.family.pictures(family, outputs, media)
      for (offset, picture) in pictures.prefix(used).enumerated() {
        let number = String(format: "%05d", start + offset)
        try picture.writePNG(to: "\(folder)/\(number).png")
        if shown.contains(start + offset) { sheet.append(picture) }
      }
      for (name, tensor) in outputs {
        gathered[name, default: []].append(try tensor.prefix(used))
      }
      progress("running", start + used, of: prepared.count)
    }
    var outputs: [Output] = []
    for port in file.graph.outputs {
      outputs.append(try write(try Tensor.concatenated(gathered[port.name] ?? []), port.name))
    }
    var sheetPath: String?
    if !sheet.isEmpty {
      let path = output + "/frames.png"
      try Image.contactSheet(sheet, columns: 8).writePNG(to: path)
      sheetPath = path
    }
    return Outcome(
      model: (model as NSString).lastPathComponent, precision: file.precision, outputs: outputs,
      frames: prepared.count, framesFolder: folder, sheet: sheetPath, seconds: watch.seconds,
      runSeconds: runSeconds)
  }

  /// The tensor of a `.npy`, `.npz` or `.pb` file.
  private func tensor(_ path: String, named name: String) throws(ModelError) -> Tensor {
    switch (path as NSString).pathExtension.lowercased() {
    case "npy": return try NumpyArray.read(path: path)
    case "pb": return try TensorFile.read(path: path).tensor
    case "npz":
      let arrays = try NumpyArchive.read(path: path)
      guard let found = arrays.first(where: { $0.name == name }) else {
        throw ModelError(
          .missingInput,
          "'\(path)' has no array '\(name)'; it has \(arrays.map(\.name).joined(separator: ", "))")
      }
      return found.tensor
    default:
      throw ModelError(
        .usage, "'\(path)' is no input: .npy, .npz, .pb, .wav, .flac, .ogg and .png are read")
    }
  }

  private func media(_ graph: Graph) throws(ModelError) -> MediaInputs {
    var (recording, picture): (Recording?, Image?) = (nil, nil)
    try graph.checkNames(inputs.map(\.name))
    for input in inputs {
      switch MediaKind(input.file) {
      case .recording: recording = try Recording(contentsOf: input.file)
      case .picture: picture = try Image(contentsOf: input.file)
      case nil:
        throw ModelError(
          .usage, "recordings and pictures do not mix with tensors: '\(input.file)'")
      }
    }
    return MediaInputs(recording: recording, picture: picture, box: box)
  }

  private func write(_ tensor: Tensor, _ name: String) throws(ModelError) -> Output {
    let safe = String(
      name.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" })
    let path = "\(output)/\(safe).npy"
    try NumpyArray.write(tensor.dequantized(), path: path)
    return Output(
      name: name, type: tensor.type.description, file: path, digest: Digest(of: tensor).description)
  }
}

/// Files that are media rather than tensors, by their endings.
enum MediaKind {
  case recording, picture

  init?(_ path: String) {
    switch (path as NSString).pathExtension.lowercased() {
    case "wav", "flac", "ogg": self = .recording
    case "png": self = .picture
    default: return nil
    }
  }
}

extension Tensor {
  /// The first `count` entries along the first axis.
  func prefix(_ count: Int) throws(ModelError) -> Tensor {
    guard shape.rank > 0, shape[0] >= count else {
      throw ModelError(.shapeMismatch, "\(shape) has no first \(count) entries")
    }
    let part = try Shape([count] + shape.dimensions.dropFirst())
    let source = bytes
    return Tensor(
      element, part, quantization: quantization,
      writing: { $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[0..<$0.count])) })
  }

  /// Tensors of one type joined along the first axis.
  static func concatenated(_ parts: [Tensor]) throws(ModelError) -> Tensor {
    guard let first = parts.first else {
      throw ModelError(.invalidValue, "there is nothing to join")
    }
    let rest = Array(first.shape.dimensions.dropFirst())
    let shape = try Shape([parts.reduce(0) { $0 + $1.shape[0] }] + rest)
    return Tensor(
      first.element, shape, quantization: first.quantization,
      writing: { target in
        var offset = 0
        for part in parts {
          UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + part.byteCount])
            .copyMemory(from: part.bytes)
          offset += part.byteCount
        }
      })
  }
}
