import MediaIO
import TensorCore

extension TextToAudioEmbedding {
  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let says = media.text != nil || media.options["phones"] != nil
    guard says || media.recording != nil else {
      throw ModelError(.missingInput, "a text or a recording is needed")
    }
    if !says {
      for name in ["stretch", "durations"] where media.options[name] != nil {
        throw ModelError(.usage, "option '\(name)' is about phones; give a text")
      }
    }
    let written = says ? try TextMode(model, media, host).features() : nil
    var spoken: [[Float]]?
    if let recording = media.recording {
      spoken = try SpeechWindows(recording).features(try model.require("audio"), on: host)
    }
    if let written, let spoken { try compare(written, spoken, host) }
    guard let features = written ?? spoken, !features.isEmpty else {
      throw ModelError(.invalidValue, "the text leaves no frame")
    }
    if !host.isCalibrating {
      try host.show(
        .rows(
          "f_aud", Tensor(try Shape([features.count, features[0].count]), features.flatMap { $0 })))
    }
    try draw(features, model, media, host)
    if written == nil, let recording = media.recording, !host.isCalibrating {
      try host.show(.speech(recording))
    }
  }

  /// The base draws features as they are, or what its context makes of them.
  private static func draw(
    _ features: [[Float]], _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let mode = try ContextAwareLipSync.Mode(media)
    var vectors = features
    if let context = model.part("context") {
      vectors = try LipUnits(context, features: features, host).all(mode)
    } else if media.options["mode"] != nil {
      throw ModelError(.usage, "option 'mode' is for faces that see frames in their context")
    }
    let face = try FaceFrames(
      try model.require("base"), media, row: "features, N×C", FaceVector.fits)
    try face.draw(vectors, on: host)
  }

  /// How far features of the text are from those of a recording of it, frame by frame.
  private static func compare(
    _ written: [[Float]], _ spoken: [[Float]], _ host: any FamilyHost
  ) throws(ModelError) {
    guard !host.isCalibrating else { return }
    let count = min(written.count, spoken.count)
    var (cosine, error) = (0.0, 0.0)
    for (a, b) in zip(written, spoken) {
      cosine += Similarity.cosine(a, b)
      error += zip(a, b).reduce(0) { $0 + Double(abs($1.0 - $1.1)) } / Double(max(a.count, 1))
    }
    cosine /= Double(max(count, 1))
    error /= Double(max(count, 1))
    try host.show(.figure("latent-cosine", cosine))
    try host.show(.figure("latent-mean-error", error))
    try host.show(.figure("frames-of-text", Double(written.count)))
    try host.show(.figure("frames-of-speech", Double(spoken.count)))
    try host.show(
      .line(
        "text against speech: mean cosine \(Similarity.text(cosine)), mean difference "
          + "\(Similarity.text(error)), over \(count) frames of \(written.count) and \(spoken.count)"
      ))
  }
}

/// A text to features, an utterance at a time.
struct TextMode {
  private let model: FamilyModel
  private let media: MediaInputs
  private let host: any FamilyHost
  private let encoder: FamilyModel.Part
  private let refine: FamilyModel.Part
  private let table: PhoneTable

  init(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    self.model = model
    self.media = media
    self.host = host
    encoder = try model.require("encoder")
    refine = try model.require("refine")
    table =
      try model.settings["phones"].map { (names) throws(ModelError) in
        try PhoneTable(names)
      } ?? .usual
    let vocabulary = try encoder.count("vocabulary")
    guard table.names.count <= vocabulary else {
      throw ModelError(
        .invalidValue,
        "the model knows \(vocabulary) phones, and the table has \(table.names.count)")
    }
  }

  func features() throws(ModelError) -> [[Float]] {
    let utterances = try utterances()
    let stretch = try media.number("stretch", in: 0.1...10) ?? 1
    let speaker = try speaker()
    var features: [[Float]] = []
    var listing = ""
    for phones in utterances {
      let encoded = try encode(try table.numbers(of: phones), speaker)
      let frames: [Int]
      if let given = media.options["durations"] {
        guard utterances.count == 1 else {
          throw ModelError(.usage, "durations are for a text of one utterance")
        }
        frames = try PhoneDurations.parse(given, phones: phones.count)
      } else {
        frames = try PhoneDurations.frames(encoded.logarithms, stretch: stretch)
      }
      for (phone, count) in zip(phones, frames) { listing += "\(phone) \(count)\n" }
      features += try refined(encoded.hidden, frames)
    }
    if !host.isCalibrating { try host.show(.text("phones", listing)) }
    return features
  }

  /// Phones of each utterance, silent at both ends.
  private func utterances() throws(ModelError) -> [[String]] {
    if let given = media.options["phones"] {
      let phones = given.split(whereSeparator: \.isWhitespace).map(String.init)
      guard !phones.isEmpty else { throw ModelError(.usage, "there are no phones to say") }
      return [phones]
    }
    let lexicon = try Lexicon(model.settings["lexicon"] ?? [], phones: table)
    let spoken = try SpokenPhones(try media.requireText(), lexicon)
    if !spoken.unspoken.isEmpty {
      try host.show(.line("not said: " + spoken.unspoken.map(String.init).joined(separator: " ")))
    }
    if !spoken.guessed.isEmpty {
      try host.show(
        .line("not in the lexicon, said by spelling: " + spoken.guessed.joined(separator: ", ")))
    }
    return try spoken.utterances(limit: (try? encoder.count("positions")) ?? 512)
  }

  /// What the face says of the voice; once for a run.
  private func speaker() throws(ModelError) -> Tensor? {
    let wanted = encoder.inputs.first { $0.type.logical.element == .float32 }
    guard let wanted else { return nil }
    let part = try model.require("speaker")
    let size = try part.count("face-size")
    let picture = try media.requirePicture()
    let box = media.box ?? .whole(picture)
    try box.check(inside: picture)
    let face = FaceCrop(picture, box, size: size)
    let area = size * size
    // Red, green, blue in [-1, 1].
    var planes: [Float] = []
    for channel in [2, 1, 0] {
      planes += face.planes[channel * area..<(channel + 1) * area].map { $0 / 127.5 - 1 }
    }
    let made = try host.run(
      part, [part.inputs[0].name: Tensor(try Shape([1, 3, size, size]), planes)])
    guard let vector = made[part.outputs[0].name], vector.count == wanted.type.dimensions?[1].value
    else {
      throw ModelError(.shapeMismatch, "the speaker's vector does not fit '\(wanted.name)'")
    }
    return vector
  }

  private func encode(
    _ numbers: [Int], _ speaker: Tensor?
  ) throws(ModelError) -> (hidden: [[Float]], logarithms: [Float]) {
    var inputs: [String: Tensor] = [:]
    for port in encoder.inputs {
      if port.type.logical.element == .float32 {
        inputs[port.name] = speaker
      } else {
        inputs[port.name] = Tensor(
          port.type.element, try Shape([1, numbers.count]), integers: numbers.map(Int64.init))
      }
    }
    let made = try host.run(encoder, inputs)
    guard
      let hidden = encoder.outputs.first(where: { $0.type.rank == 3 }).flatMap({ made[$0.name] }),
      let durations = encoder.outputs.first(where: { $0.type.rank == 2 }).flatMap({ made[$0.name] }
      ),
      hidden.shape.rank == 3, hidden.shape[1] == numbers.count, durations.count == numbers.count
    else {
      throw ModelError(.shapeMismatch, "part '\(encoder.name)' gives no row for each phone")
    }
    let width = hidden.shape[2]
    let values = hidden.dequantized().floats()
    return (
      (0..<numbers.count).map { Array(values[$0 * width..<($0 + 1) * width]) },
      durations.dequantized().floats()
    )
  }

  /// Each phone's row as often as the phone has frames, refined.
  private func refined(_ hidden: [[Float]], _ frames: [Int]) throws(ModelError) -> [[Float]] {
    let phones = PhoneDurations.phoneOfFrame(frames)
    guard !phones.isEmpty else { return [] }
    if let most = try? refine.count("positions"), phones.count > most {
      throw ModelError(
        .limitExceeded,
        "an utterance lasts \(phones.count) frames and the model takes \(most); "
          + "break the text with commas")
    }
    let input = Tensor(
      try Shape([1, phones.count, hidden[0].count]), phones.flatMap { hidden[$0] })
    let made = try host.run(refine, [refine.inputs[0].name: input])
    guard let output = made[refine.outputs[0].name], output.shape.rank == 3,
      output.shape[1] == phones.count
    else {
      throw ModelError(.shapeMismatch, "part '\(refine.name)' gives no row for each frame")
    }
    let width = output.shape[2]
    let values = output.dequantized().floats()
    return (0..<phones.count).map { Array(values[$0 * width..<($0 + 1) * width]) }
  }
}
