import Foundation
import MediaIO
import TensorCore

/// Frames to words and to speech.
extension AssociativeBridge {
  /// Mean and deviation of a training frame's shades in [0, 1].
  static let mean: Float = 0.4136
  static let deviation: Float = 0.1700
  /// What is cut out of a frame of 256×256.
  static let frame = 256
  static let crop = (columns: 59..<195, rows: 95..<231)

  /// The shades of one frame's mouth, normalised: 112 × 112.
  static func shades(_ image: Image, _ box: Box?) throws(ModelError) -> [Float] {
    var (columns, rows) = (crop.columns, crop.rows)
    if let box {
      try box.check(inside: image)
      columns = Int(box.left.rounded())..<Int(box.right.rounded())
      rows = Int(box.top.rounded())..<Int(box.bottom.rounded())
    } else if image.width != frame || image.height != frame {
      throw ModelError(
        .invalidValue,
        "a frame is \(image.width)×\(image.height): frames of 256×256 with the mouth in their middle are "
          + "read as they are, others with a box around the mouth")
    }
    guard !columns.isEmpty, !rows.isEmpty else {
      throw ModelError(.invalidValue, "the box around the mouth is empty")
    }
    return GreyCrop(image, columns: columns, rows: rows, size: side).pixels.map {
      (Float($0) / 255 - mean) / deviation
    }
  }

  /// The frames of a clip as 1×1×T×112×112.
  private static func clip(
    _ video: FrameFolder, _ frames: Range<Int>, _ box: Box?
  ) throws(ModelError) -> Tensor {
    var values: [Float] = []
    values.reserveCapacity(frames.count * side * side)
    for index in frames { values += try shades(try video.frame(index), box) }
    return Tensor(try Shape([1, 1, frames.count, side, side]), values)
  }

  private static func mirrored(_ clip: Tensor) -> Tensor {
    var values = clip.floats()
    for row in stride(from: 0, to: values.count, by: side) {
      values[row..<row + side].reverse()
    }
    return Tensor(clip.shape, values)
  }

  /// The frames that are read: as many as the network takes, from the middle; all where it takes any.
  private static func middle(
    _ count: Int, _ part: FamilyModel.Part
  ) throws(ModelError) -> Range<Int> {
    guard let wanted = part.trait("frames").flatMap({ Int($0) }) else { return 0..<count }
    guard count >= wanted else {
      throw ModelError(
        .invalidValue, "the video is too short: \(count) frames of the \(wanted) that are read")
    }
    let start = (count - wanted) / 2
    return start..<start + wanted
  }

  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let video = try media.requireVideo()
    let flip = try media.flag("flip")
    let iterations = Int(try media.number("iterations", in: 1...1000) ?? 60)
    var spoken: Tensor?
    let speaking = road(model, to: "mel-port", whole: "speech")
    let reading = road(model, to: "logits-port", whole: "lip-reader")
    if let speaking { spoken = try speak(speaking, video, media, iterations, host) }
    guard let reader = reading?.first ?? model.part("audio-visual") else {
      guard let speech = speaking?.first else {
        throw ModelError(
          .missingInput,
          "the model reads and says nothing: it has \(model.parts.map(\.role).joined(separator: ", ")); "
            + "a visual-front goes with a back-end, and with a memory where that has none")
      }
      if let target = model.part("target") {
        try listen(target, try middle(video.count, speech).count, media, spoken, host)
      }
      return
    }
    let frames = try middle(video.count, reader)
    let clip = try clip(video, frames, media.box)
    var address: Tensor?
    if let reading {
      let made = try follow(reading, clip, host)
      var logits = try wanted(made, "logits-port")
      if flip, !host.isCalibrating {
        let other = try wanted(try follow(reading, mirrored(clip), host), "logits-port")
        logits = Tensor(logits.shape, zip(logits.floats(), other.floats()).map { $0 + $1 })
      }
      address = made["address-port"]
      if let address { try host.show(.rows("address", address)) }
      try say(logits, "lips", model, host)
    }
    if let part = model.part("audio-visual") {
      if let recording = media.recording {
        let heard = try heard(recording, frames.count)
        let inputs = Dictionary(
          uniqueKeysWithValues: part.inputs.map {
            ($0.name, $0.type.dimensions?.count == 5 ? clip : heard)
          })
        let made = named(part, try host.run(part, inputs))
        try say(try wanted(made, "logits-port"), "lips-and-sound", model, host)
      } else if reading == nil {
        throw ModelError(.missingInput, "lips with sound need a recording: give --audio")
      }
    } else if media.recording != nil, model.part("target") == nil {
      throw ModelError(.usage, "the model has no part that listens: leave --audio away")
    }
    if let part = model.part("target") {
      try listen(part, frames.count, media, address, host)
    }
    host.progress(frames.count, of: frames.count)
  }

  private static func heard(
    _ recording: Recording, _ frames: Int
  ) throws(ModelError) -> Tensor {
    let mel = try HeardMel(recording, columns: frames * columnsPerFrame)
    return Tensor(try Shape([1, 1, bands, mel.columns]), mel.values)
  }

  private static func wanted(
    _ made: [String: Tensor], _ trait: String
  ) throws(ModelError) -> Tensor {
    guard let tensor = made[trait] else {
      throw ModelError(.missingInput, "the model gave no \(trait.dropLast(5))")
    }
    return tensor
  }

  /// The five words that are most probable.
  private static func say(
    _ logits: Tensor, _ name: String, _ model: FamilyModel, _ host: any FamilyHost
  ) throws(ModelError) {
    guard !host.isCalibrating else { return }
    let values = logits.doubles()
    let words = model.settings["words"] ?? []
    guard words.isEmpty || words.count == values.count else {
      throw ModelError(
        .shapeMismatch, "\(words.count) words for \(values.count) classes")
    }
    let top = values.max() ?? 0
    let weights = values.map { exp($0 - top) }
    let sum = weights.reduce(0, +)
    let order = values.indices.sorted { (values[$1], $0) < (values[$0], $1) }
    var lines: [String] = []
    for (rank, index) in order.prefix(5).enumerated() {
      let word = words.isEmpty ? "class \(index)" : words[index]
      let share = weights[index] / sum
      lines.append("\(rank + 1). \(word) \(String(format: "%.1f %%", share * 100))")
      if rank == 0 {
        try host.show(.figure("class_\(name)", Double(index)))
        try host.show(.figure("probability_\(name)", share))
      }
    }
    try host.show(.line("\(name): " + lines.joined(separator: ", ")))
    try host.show(.text("words-\(name)", lines.joined(separator: "\n") + "\n"))
    try host.show(.rows("logits-\(name)", logits))
  }

  /// What the sound addresses, and how near the lips come to it.
  private static func listen(
    _ part: FamilyModel.Part, _ frames: Int, _ media: MediaInputs, _ source: Tensor?,
    _ host: any FamilyHost
  ) throws(ModelError) {
    guard let recording = media.recording else { return }
    let target = try wanted(
      try follow([part], try heard(recording, frames), host), "address-port")
    guard !host.isCalibrating else { return }
    try host.show(.rows("target-address", target))
    guard let source, source.shape == target.shape, let slots = target.shape.dimensions.last
    else { return }
    let (p, q) = (target.doubles(), source.dequantized().doubles())
    var (divergence, same) = (0.0, 0)
    let rows = p.count / slots
    for row in 0..<rows {
      let range = row * slots..<(row + 1) * slots
      for index in range where p[index] > 0 {
        divergence += p[index] * log(p[index] / max(q[index], 1e-13))
      }
      if range.max(by: { p[$0] < p[$1] }) == range.max(by: { q[$0] < q[$1] }) { same += 1 }
    }
    try host.show(.figure("bridge_divergence", divergence / Double(rows)))
    try host.show(.figure("bridge_first_slot", Double(same) / Double(rows)))
    try host.show(
      .line(
        String(
          format:
            "bridge: KL %.3f from what is heard to what is seen, the same first slot in %.0f %% "
            + "of the frames", divergence / Double(rows), 100 * Double(same) / Double(rows))))
  }

  /// Lips to speech: windows of as many frames as the network takes, the last one flush with the end. Returns
  /// what they address, a row a frame and window.
  private static func speak(
    _ road: [FamilyModel.Part], _ video: FrameFolder, _ media: MediaInputs, _ iterations: Int,
    _ host: any FamilyHost
  ) throws(ModelError) -> Tensor? {
    let window = road[0].trait("frames").flatMap { Int($0) } ?? video.count
    guard video.count >= window else {
      throw ModelError(
        .invalidValue,
        "the video is too short: \(video.count) frames of the \(window) that are read")
    }
    let columns = video.count * columnsPerFrame
    var mel = [Double](repeating: 0, count: bands * columns)
    var addresses: [Tensor] = []
    var start = 0
    while true {
      let made = try follow(road, try clip(video, start..<start + window, media.box), host)
      let part = try wanted(made, "mel-port").doubles()
      guard part.count == bands * window * columnsPerFrame else {
        throw ModelError(
          .shapeMismatch, "\(part.count / bands) columns of speech for \(window) frames")
      }
      for band in 0..<bands {
        for column in 0..<window * columnsPerFrame {
          mel[band * columns + start * columnsPerFrame + column] =
            part[band * window * columnsPerFrame + column]
        }
      }
      if let address = made["address-port"] { addresses.append(address) }
      host.progress(start + window, of: video.count)
      guard start + window < video.count else { break }
      start = min(start + window, video.count - window)
    }
    guard !host.isCalibrating else { return nil }
    if let recording = media.recording {
      let samples = try recording.resampled(to: SpokenMel.sampleRate).samples
      let truth = SpokenMel.values(of: samples)
      let there = 1 + samples.count / SpokenMel.hop
      let common = min(columns, there)
      var sum = 0.0
      for band in 0..<bands {
        for column in 0..<common {
          sum += abs(mel[band * columns + column] - truth[band * there + column])
        }
      }
      let error = sum / Double(bands * max(common, 1))
      try host.show(.figure("mel_l1", error))
      try host.show(.line(String(format: "mel: mean difference %.4f from the recording", error)))
    }
    try host.show(
      .rows("mel", Tensor(try Shape([bands, columns]), mel.map { Float($0) })))
    try host.show(
      .sound("speech", SpokenMel.speech(mel, columns: columns, iterations: iterations)))
    guard !addresses.isEmpty else { return nil }
    let address = try Tensor.concatenated(addresses)
    try host.show(.rows("speech-address", address))
    return address
  }
}
