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
  /// What the family makes inputs of.
  package var media = MediaRequest()
  /// The folder for the outputs.
  package var output: String
  /// The part that tensors are for, where there are several.
  package var part: String?
  /// A file of adapted tensors, and which state of it; the last one where that is not said.
  package var adapted: String?
  package var state: String?
  /// The bank that the memories read; the one in use where that is not said.
  package var bank: String?
  package var options = ExecutionOptions()

  package init(model: String, inputs: [(name: String, file: String)] = [], output: String) {
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
    package let frames: Int?
    let framesFolder: String?
    let sheet: String?
    let video: String?
    /// Files besides the outputs.
    let files: [String]
    /// What the family has to say.
    let lines: [String]
    package let figures: [String: Double]
    let seconds: Double
    /// Running the model alone.
    let runSeconds: Double

    package var text: String {
      var head = "\(model) (\(precision)) ran in \(Figure.milliseconds(runSeconds * 1000))"
      if let frames {
        head +=
          ": \(frames) frames, \(String(format: "%.1f", Double(frames) / runSeconds)) a second"
      }
      var table = TextTable(["output", "type", "file", "digest"])
      for output in outputs {
        table.add([output.name, output.type, output.file, String(output.digest.prefix(12))])
      }
      var all = [head] + lines.map { "  " + $0 }
      if !outputs.isEmpty { all += table.lines }
      if let framesFolder { all.append("  frames are in \(framesFolder)") }
      if let sheet { all.append("  at a glance: \(sheet)") }
      if let video { all.append("  video: \(video)") }
      for file in files { all.append("  wrote \(file)") }
      return all.joined(separator: "\n")
    }
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let watch = Stopwatch()
    var file = try ModelFile(model, goldens: false, bank: bank, isLate: adapted == nil)
    if let adapted {
      file = try file.applying(AdaptedTensors(contentsOf: adapted), state: state)
    }
    guard state == nil || adapted != nil else {
      throw ModelError(.usage, "--state is of what --adapted names")
    }
    let isMedia = !media.given.isEmpty || inputs.contains { MediaKind($0.file) != nil }
    return isMedia ? try runMedia(file, watch, progress) : try runTensors(file, watch)
  }

  private func runTensors(
    _ file: ModelFile, _ watch: Stopwatch
  ) throws(ModelError) -> Outcome {
    let part = try file.part(part)
    var runner = try Runner(part.graph, options)
    try part.graph.checkNames(inputs.map(\.name))
    var tensors: [String: Tensor] = [:]
    for input in inputs {
      guard tensors[input.name] == nil else {
        throw ModelError(.usage, "input '\(input.name)' is given twice")
      }
      tensors[input.name] = try Tensor(file: input.file, named: input.name)
    }
    let ordered = try runner.ordered(tensors)
    let timed = Stopwatch()
    let results = try runner.run(ordered)
    let seconds = timed.seconds
    try MediaFile.makeFolder(output)
    var outputs: [Output] = []
    var names = FileNames()
    for (port, tensor) in zip(part.graph.outputs, results) {
      outputs.append(try Execution.write(tensor, port.name, to: output, &names))
    }
    return Outcome(
      model: (model as NSString).lastPathComponent, precision: part.precision, outputs: outputs,
      frames: nil, framesFolder: nil, sheet: nil, video: nil, files: [], lines: [], figures: [:],
      seconds: watch.seconds, runSeconds: seconds)
  }

  private func runMedia(
    _ file: ModelFile, _ watch: Stopwatch, _ progress: ProgressObserver
  ) throws(ModelError) -> Outcome {
    guard let family = file.family else {
      throw ModelError(
        .unsupportedFeature,
        "the model is of no family that makes inputs of media; give .npy, .npz or .pb")
    }
    guard part == nil else {
      throw ModelError(.usage, "media are for the whole model, not for a part")
    }
    var media = media
    let names = file.parts.flatMap { $0.graph.inputs.map(\.name) }
    for input in inputs {
      if !names.contains(input.name) { try file.parts[0].graph.checkNames([input.name]) }
      try media.take(input.file, as: input.name, for: family.family)
    }
    let loaded = try media.load(for: family.family)
    let host = try FileHost(file, folder: output, options: options, progress: progress)
    try family.family.perform(family, loaded, host)
    let made = try host.finish()
    return Outcome(
      model: (model as NSString).lastPathComponent, precision: file.precision,
      outputs: made.outputs, frames: host.frames > 0 ? host.frames : nil,
      framesFolder: host.framesFolder, sheet: made.sheet, video: made.video, files: host.files,
      lines: host.lines, figures: host.figures, seconds: watch.seconds, runSeconds: host.runSeconds)
  }

  static func write(
    _ tensor: Tensor, _ name: String, to folder: String, _ names: inout FileNames
  ) throws(ModelError) -> Output {
    let path = "\(folder)/\(names.name(for: name)).npy"
    try NumpyArray.write(tensor.dequantized(), path: path)
    return Output(
      name: name, type: tensor.type.description, file: path, digest: Digest(of: tensor).description)
  }
}

/// What the files of a folder are called after what is in them.
struct FileNames {
  private var names: [String: String] = [:]
  private var taken: Set<String> = []

  /// One path component, which nothing else has: with a number behind it where it is taken.
  mutating func name(for content: String) -> String {
    if let name = names[content] { return name }
    let base = String(content.map { $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "_" })
    var (name, count) = (base, 0)
    while !taken.insert(name).inserted {
      count += 1
      name = "\(base)_\(count)"
    }
    names[content] = name
    return name
  }
}
