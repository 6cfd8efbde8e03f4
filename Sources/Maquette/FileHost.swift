import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import TensorCore

/// A runner that closures share.
final class PartRunner {
  private var runner: Runner
  private(set) var seconds = 0.0

  init(_ part: ModelPart, _ options: ExecutionOptions) throws(ModelError) {
    runner = try Runner(part.graph, options)
  }

  func run(_ inputs: [String: Tensor]) throws(ModelError) -> [String: Tensor] {
    let watch = Stopwatch()
    defer { seconds += watch.seconds }
    return try runner.run(inputs)
  }
}

/// Runs a family's parts and leaves what it shows in a folder.
final class FileHost: FamilyHost {
  let isCalibrating = false
  /// Frames of the sheet that shows all of a run at a glance.
  static let sheetFrames = 32

  private let folder: String
  private let file: ModelFile
  private let options: ExecutionOptions
  private var runners: [String: PartRunner]
  private let observer: ProgressObserver
  private let watch = Stopwatch()
  private var rows: [(name: String, tensors: [Tensor])] = []
  private(set) var frames = 0
  private(set) var lines: [String] = []
  private(set) var figures: [String: Double] = [:]
  private(set) var files: [String] = []
  private var speech: Recording?
  private var names = FileNames()
  /// Pictures that are not whole yet.
  private var pictures: [String: PictureWriter] = [:]

  init(
    _ file: ModelFile, folder: String, options: ExecutionOptions, progress: ProgressObserver
  ) throws(ModelError) {
    self.folder = folder
    self.file = file
    self.options = options
    observer = progress
    var runners: [String: PartRunner] = [:]
    for part in file.parts { runners[part.name] = try PartRunner(part, options) }
    self.runners = runners
    try MediaFile.makeFolder(folder)
  }

  var runSeconds: Double { runners.values.reduce(0) { $0 + $1.seconds } }
  var framesFolder: String? { frames > 0 ? folder + "/frames" : nil }

  func run(
    _ part: FamilyModel.Part, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor] {
    guard let runner = runners[part.name] else {
      throw ModelError(.missingInput, "the model has no part '\(part.name)'")
    }
    return try during("running part '\(part.name)'") { () throws(ModelError) in
      try runner.run(inputs)
    }
  }

  func run(
    _ chain: PartChain, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor] {
    let runner: PartRunner
    if let made = runners[chain.name] {
      runner = made
    } else {
      runner = try PartRunner(try file.part(chain), options)
      runners[chain.name] = runner
    }
    return try during("running parts '\(chain.name)'") { () throws(ModelError) in
      try runner.run(inputs)
    }
  }

  func feed(_ part: FamilyModel.Part, _ inputs: [String: Tensor]) throws(ModelError) {
    _ = try run(part, inputs)
  }

  func progress(_ done: Int, of total: Int) {
    let rate = Double(done) / max(watch.seconds, 1e-9)
    observer(String(format: "running, %.1f a second", rate), done, of: total)
  }

  func show(_ product: Product) throws(ModelError) {
    switch product {
    case .frame(let image):
      if frames == 0 { try MediaFile.makeFolder(folder + "/frames") }
      try image.writePNG(to: frame(frames))
      frames += 1
    case .picture(let name, let image):
      try image.writePNG(to: path(name, "png"))
    case .stripe(let name, let rows, let height):
      let writer =
        if let begun = pictures[name] { begun } else {
          try PictureWriter(
            path(name, "png"), width: rows.width, height: height, depth: rows.depth)
        }
      try writer.write(rows)
      pictures[name] = writer.isWhole ? nil : writer
    case .sound(let name, let recording):
      try recording.write(to: path(name, "wav"))
    case .text(let name, let text):
      try NewFile.write(Array(text.utf8), to: path(name, "txt"))
    case .line(let line): lines.append(line)
    case .figure(let name, let value): figures[name] = value
    case .speech(let recording): speech = recording
    case .rows(let name, let tensor):
      if let index = rows.firstIndex(where: { $0.name == name }) {
        rows[index].tensors.append(tensor)
      } else {
        rows.append((name, [tensor]))
      }
    }
  }

  private func path(_ name: String, _ ending: String) -> String {
    let path = "\(folder)/\(names.name(for: name)).\(ending)"
    files.append(path)
    return path
  }

  private func frame(_ index: Int) -> String {
    "\(folder)/frames/\(String(format: "%05d", index)).png"
  }

  /// Writes what was gathered: tensors, a sheet of the frames and, where ffmpeg is on the PATH, a video.
  func finish() throws(ModelError) -> (outputs: [Execution.Output], sheet: String?, video: String?)
  {
    var outputs: [Execution.Output] = []
    for (name, tensors) in rows {
      outputs.append(
        try Execution.write(try Tensor.concatenated(tensors), name, to: folder, &names))
    }
    guard frames > 0 else { return (outputs, nil, nil) }
    let count = min(frames, Self.sheetFrames)
    var shown: [Image] = []
    for index in 0..<count {
      shown.append(try Image(contentsOf: frame((index * 2 + 1) * frames / (count * 2))))
    }
    let sheet = folder + "/frames.png"
    try Image.contactSheet(shown, columns: 8).writePNG(to: sheet)
    var wave: String?
    if let speech {
      wave = folder + "/speech.wav"
      try speech.write(to: folder + "/speech.wav")
    }
    let video = try FrameVideo.encode(
      frames: folder + "/frames", speech: wave, to: folder + "/video.mp4")
    if let video, !video.made {
      lines.append("no video: \(video.message)")
    }
    return (outputs, sheet, video?.made == true ? folder + "/video.mp4" : nil)
  }
}

/// Frames and speech as a video, by ffmpeg where it is on the PATH.
enum FrameVideo {
  /// Nil where no folder of `search`, which are written as on the PATH, has an ffmpeg.
  static func encode(
    frames: String, speech: String?, to path: String,
    search: String = ProcessInfo.processInfo.environment["PATH"] ?? ""
  ) throws(ModelError) -> (made: Bool, message: String)? {
    guard let program = program("ffmpeg", in: search) else { return nil }
    let process = Process()
    process.executableURL = URL(filePath: program)
    var arguments = ["-y", "-loglevel", "error", "-framerate", "25", "-i", frames + "/%05d.png"]
    if let speech { arguments += ["-i", speech, "-shortest"] }
    arguments += ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2", "-pix_fmt", "yuv420p", path]
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    do { try process.run() } catch {
      return (false, "ffmpeg does not start: \(error.localizedDescription)")
    }
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      return (false, "ffmpeg ended with status \(process.terminationStatus)")
    }
    return (true, "")
  }

  private static func program(_ name: String, in folders: String) -> String? {
    folders.split(separator: ":").map { "\($0)/\(name)" }
      .first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
