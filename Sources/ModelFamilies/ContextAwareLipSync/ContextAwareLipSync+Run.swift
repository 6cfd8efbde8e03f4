import MediaIO
import TensorCore

extension ContextAwareLipSync {
  /// How a frame finds its neighbours.
  enum Mode: String, CaseIterable {
    /// Every frame amid its own; what the network was trained for.
    case centre
    /// As many frames at once as there are windows, of which the inner ones count.
    case block
  }

  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let mode = try mode(media)
    let shift = Int(try media.number("shift", in: -5...5) ?? 0)
    let windows = try SpeechWindows(try media.requireRecording(), shift: shift)
    if let whole = model.part("whole") {
      guard mode == .centre else {
        throw ModelError(.usage, "one graph draws each frame amid its neighbours; mode is centre")
      }
      try drawWhole(whole, windows, media, host)
    } else {
      let face = try FaceFrames(try model.require("face"), media, row: "lip units", FaceVector.fits)
      let units = try LipUnits(model, windows, host).all(mode)
      let shape = face.row.type.dimensions?.count == 4 ? [1, 1] : []
      try face.draw(windows.count, on: host) { (indices) throws(ModelError) in
        Tensor(
          try Shape([indices.count, units[0].count] + shape), indices.flatMap { units[$0] })
      }
      if !host.isCalibrating {
        let tensor = Tensor(try Shape([units.count, units[0].count]), units.flatMap { $0 })
        try host.show(.rows("lip_units", tensor))
      }
    }
    if let recording = media.recording, !host.isCalibrating {
      try host.show(.speech(recording))
    }
  }

  private static func mode(_ media: MediaInputs) throws(ModelError) -> Mode {
    guard let name = media.options["mode"] else { return .centre }
    guard let mode = Mode(rawValue: name) else {
      let known = Mode.allCases.map(\.rawValue).joined(separator: " or ")
      throw ModelError(.usage, "option 'mode' is \(known), not '\(name)'")
    }
    return mode
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
  private let windows: SpeechWindows
  private let host: any FamilyHost
  private let part: FamilyModel.Part
  private let width: Int
  /// What the phone encoder made of each frame, where it is a part of its own: once for each frame rather
  /// than once for each neighbour.
  private let features: [[Float]]?

  init(
    _ model: FamilyModel, _ windows: SpeechWindows, _ host: any FamilyHost
  ) throws(ModelError) {
    self.windows = windows
    self.host = host
    if let lips = model.part("lips") {
      part = lips
      features = nil
    } else {
      part = try model.require("context")
      features = try windows.features(try model.require("phones"), on: host)
    }
    width = try part.count("windows")
  }

  /// Units of features that came from elsewhere, such as from text.
  init(
    _ context: FamilyModel.Part, features: [[Float]], _ windows: SpeechWindows,
    _ host: any FamilyHost
  ) throws(ModelError) {
    part = context
    self.features = features
    self.windows = windows
    self.host = host
    width = try context.count("windows")
  }

  func all(_ mode: ContextAwareLipSync.Mode) throws(ModelError) -> [[Float]] {
    if host.isCalibrating { return try calibrated() }
    switch mode {
    case .centre: return try centred(Array(0..<windows.count))
    case .block:
      let units = try blocks()
      let compared = FaceFrames.spread(windows.count, 25)
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
    let chosen = FaceFrames.spread(windows.count, ModelFamily.calibrationSamples)
    let made = try centred(chosen)
    var units = [[Float]](repeating: made[0], count: windows.count)
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
          ContextAwareLipSync.neighbours(of: $0, windows: width, count: windows.count)
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
    while units.count < windows.count {
      let first = units.count - margin
      let indices = (first..<first + width).map { min(max($0, 0), windows.count - 1) }
      units += try run([indices])[0][margin..<margin + inner]
        .prefix(windows.count - units.count)
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
    if let features {
      return Tensor(
        try Shape([groups.count, width, features[0].count]),
        groups.flatMap { $0.flatMap { features[$0] } })
    }
    return Tensor(
      try Shape([
        groups.count, width, 1, MelSpectrogram.bands, MelSpectrogram.windowColumns,
      ]),
      groups.flatMap { $0.flatMap { windows.mel.window(at: windows.starts[$0]) } })
  }
}
