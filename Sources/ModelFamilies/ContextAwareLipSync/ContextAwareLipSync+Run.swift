import MediaIO
import TensorCore

extension ContextAwareLipSync {
  /// How a frame finds its neighbours.
  enum Mode: String, CaseIterable {
    /// Every frame amid its own; what the network was trained for.
    case centre
    /// As many frames at once as there are windows, of which the inner ones count.
    case block

    /// What the option says; centre where nothing is said.
    init(_ media: MediaInputs) throws(ModelError) {
      guard let name = media.options["mode"] else {
        self = .centre
        return
      }
      guard let mode = Mode(rawValue: name) else {
        let known = Mode.allCases.map(\.rawValue).joined(separator: " or ")
        throw ModelError(.usage, "option 'mode' is \(known), not '\(name)'")
      }
      self = mode
    }
  }

  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let mode = try Mode(media)
    let shift = Int(try media.number("shift", in: -5...5) ?? 0)
    let windows = try SpeechWindows(try media.requireRecording(), shift: shift)
    if let whole = model.part("whole") {
      guard mode == .centre else {
        throw ModelError(.usage, "one graph draws each frame amid its neighbours; mode is centre")
      }
      try drawWhole(whole, windows, media, host)
    } else {
      let face = try FaceFrames(try model.require("face"), media, row: "lip units", FaceVector.fits)
      try face.draw(try LipUnits(model, windows, host).all(mode), on: host)
    }
    if let recording = media.recording, !host.isCalibrating {
      try host.show(.speech(recording))
    }
  }

  /// The frames that `count` neighbours around `index` are; the first and the last stand for those beyond.
  package static func neighbours(of index: Int, windows: Int, count: Int) -> [Int] {
    (index - windows / 2...index + windows / 2).map { min(max($0, 0), count - 1) }
  }

  private static func drawWhole(
    _ part: FamilyModel.Part, _ windows: SpeechWindows, _ media: MediaInputs,
    _ host: any FamilyHost
  ) throws(ModelError) {
    let width = try part.count("windows")
    let face = try FaceFrames(part, media, row: "windows, B×W×1×80×16") { $0.count == 5 }
    try face.draw(windows.count, on: host) { (indices) throws(ModelError) in
      let columns = indices.flatMap { neighbours(of: $0, windows: width, count: windows.count) }
      return Tensor(
        try Shape([
          indices.count, width, 1, MelSpectrogram.bands, MelSpectrogram.windowColumns,
        ]), columns.flatMap { windows.mel.window(at: windows.starts[$0]) })
    }
  }
}

/// A lip motion unit for each frame.
struct LipUnits {
  /// What a frame tells its neighbours.
  private enum Source {
    case windows(SpeechWindows)
    /// What the phone encoder made of each frame, where it is a part of its own: once for each frame rather
    /// than once for each neighbour. Or what a text is thought to sound like.
    case features([[Float]])
  }

  private let source: Source
  private let count: Int
  private let host: any FamilyHost
  private let part: FamilyModel.Part
  private let width: Int

  init(
    _ model: FamilyModel, _ windows: SpeechWindows, _ host: any FamilyHost
  ) throws(ModelError) {
    if let lips = model.part("lips") {
      try self.init(lips, .windows(windows), windows.count, host)
    } else {
      let context = try model.require("context")
      try self.init(
        context, features: try windows.features(try model.require("phones"), on: host), host)
    }
  }

  /// Units of a feature for each frame.
  init(
    _ context: FamilyModel.Part, features: [[Float]], _ host: any FamilyHost
  ) throws(ModelError) {
    try self.init(context, .features(features), features.count, host)
  }

  private init(
    _ part: FamilyModel.Part, _ source: Source, _ count: Int, _ host: any FamilyHost
  ) throws(ModelError) {
    self.part = part
    self.source = source
    self.count = count
    self.host = host
    width = try part.count("windows")
  }

  /// Every frame's unit, which is shown as well.
  func all(_ mode: ContextAwareLipSync.Mode) throws(ModelError) -> [[Float]] {
    if host.isCalibrating { return try calibrated() }
    let units = try made(mode)
    try host.show(
      .rows(
        "lip_units", Tensor(try Shape([count, units[0].count]), units.flatMap { $0 })))
    return units
  }

  private func made(_ mode: ContextAwareLipSync.Mode) throws(ModelError) -> [[Float]] {
    switch mode {
    case .centre: return try centred(Array(0..<count))
    case .block:
      let units = try blocks()
      let compared = FaceFrames.spread(count, 25)
      let truth = try centred(compared)
      let cosines = zip(compared, truth).map { Similarity.cosine(units[$0], $1) }
      let mean = cosines.reduce(0, +) / Double(max(cosines.count, 1))
      try host.show(.figure("block-unit-cosine", mean))
      try host.show(
        .line(
          "block mode: mean cosine \(Similarity.text(mean)) to the units of centre mode, least "
            + "\(Similarity.text(cosines.min() ?? 1)), over \(compared.count) frames"))
      return units
    }
  }

  /// Units of the frames that calibration looks at; the others stand still.
  private func calibrated() throws(ModelError) -> [[Float]] {
    let chosen = FaceFrames.spread(count, ModelFamily.calibrationSamples)
    let made = try centred(chosen)
    var units = [[Float]](repeating: made[0], count: count)
    for (frame, unit) in zip(chosen, made) { units[frame] = unit }
    return units
  }

  /// The middle unit of each frame's own neighbours.
  private func centred(_ frames: [Int]) throws(ModelError) -> [[Float]] {
    var units: [[Float]] = []
    let batch = ModelFamily.batch
    for start in stride(from: 0, to: frames.count, by: batch) {
      let chosen = (start..<start + batch).map { frames[min($0, frames.count - 1)] }
      let rows = try run(
        chosen.map {
          ContextAwareLipSync.neighbours(of: $0, windows: width, count: count)
        })
      units += rows.map { $0[width / 2] }.prefix(min(batch, frames.count - start))
    }
    return units
  }

  /// The inner half of one run after the other.
  private func blocks() throws(ModelError) -> [[Float]] {
    let inner = width / 2 + 1
    let margin = (width - inner) / 2
    var units: [[Float]] = []
    while units.count < count {
      let first = units.count - margin
      let indices = (first..<first + width).map { min(max($0, 0), count - 1) }
      units += try run([indices])[0][margin..<margin + inner]
        .prefix(count - units.count)
    }
    return units
  }

  private func run(_ groups: [[Int]]) throws(ModelError) -> [[[Float]]] {
    let outputs = try host.run(part, [part.inputs[0].name: try input(groups)])
    guard let tensor = outputs[part.outputs[0].name], tensor.shape.rank == 3,
      tensor.shape[1] == width
    else {
      throw ModelError(.shapeMismatch, "part '\(part.name)' gives no unit for each window")
    }
    let units = tensor.shape[2]
    return try tensor.rows().map { row in
      (0..<width).map { Array(row[$0 * units..<($0 + 1) * units]) }
    }
  }

  private func input(_ groups: [[Int]]) throws(ModelError) -> Tensor {
    switch source {
    case .features(let features):
      return Tensor(
        try Shape([groups.count, width, features[0].count]),
        groups.flatMap { $0.flatMap { features[$0] } })
    case .windows(let windows):
      return Tensor(
        try Shape([
          groups.count, width, 1, MelSpectrogram.bands, MelSpectrogram.windowColumns,
        ]),
        groups.flatMap { $0.flatMap { windows.mel.window(at: windows.starts[$0]) } })
    }
  }
}
