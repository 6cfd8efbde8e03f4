import MediaIO
import ModelIR
import TensorCore

/// The lip-sync critic (SyncNet for colour, as Wav2Lip and SyncTalkFace train with): speech and five frames
/// of the lower half of a face become two vectors of norm one, whose cosine says how well they go together.
///
/// Face size and widths are the file's own.
extension ModelFamily {
  package static let syncCritic = ModelFamily(
    name: "sync-critic",
    title: "lip-sync critic",
    roles: ["critic"],
    recognise: SyncCritic.recognise,
    nearMiss: SyncCritic.nearMiss,
    media: [.video, .audio],
    perform: SyncCritic.perform,
    agreements: { part in
      part.outputs.map { port in
        Agreement(
          output: port.name, measure: .cosine(atLeast: 0.99),
          reason: "what the critic says moves by less than a hundredth then")
      }
    })
}

package enum SyncCritic {
  /// Frames of one clip: as long as a window of speech.
  package static let frames = 5

  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    guard missing(view).isEmpty, let face = clips(view).first,
      let size = view.extents(face.value)?[3],
      let width = view.extents(graph.outputs[0].value)?[1]
    else { return nil }
    return ModelFamily.Recognition(
      "critic",
      [
        ModelFamily.Trait("face-size", "\(size)"),
        ModelFamily.Trait("feature-width", "\(width)"),
        ModelFamily.Trait("frames", "\(frames)"),
      ])
  }

  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    guard !clips(view).isEmpty else { return [] }
    return missing(view)
  }

  /// Five frames of three planes, twice as wide as high.
  private static func clips(_ view: GraphView) -> [ModelIR.Port] {
    view.inputs { extents in
      guard extents.count == 4, extents[1] == 3 * frames, let height = extents[2] else {
        return false
      }
      return extents[3] == 2 * height
    }
  }

  private static func missing(_ view: GraphView) -> [String] {
    var missing: [String] = []
    if view.graph.inputs.count != 2 || view.inputs(GraphView.areWindows).count != 1 {
      missing.append("an input of windows of speech, N×1×80×16")
    }
    if clips(view).count != 1 {
      missing.append("an input of five lower halves of faces, N×15×S/2×S")
    }
    let outputs = view.graph.outputs
    let widths = Set(outputs.map { view.extents($0.value)?.last ?? nil })
    if outputs.count != 2 || widths.count != 1 || widths.contains(nil)
      || !outputs.allSatisfy({ view.extents($0.value)?.count == 2 })
    {
      missing.append("two outputs of one width")
    } else if !outputs.allSatisfy({ view.isNormalised($0.value) }) {
      missing.append("outputs that are divided by their norms")
    }
    let convolutions = view.count("Conv")
    if ![31, 33].contains(convolutions) {
      missing.append("two towers of 31 or 33 convolutions together, not \(convolutions)")
    }
    return missing
  }

  /// The cosine of every clip of five frames with the speech that begins with it, and with speech that
  /// begins up to `reach` frames earlier or later.
  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let part = model.parts[0]
    let windows = try SpeechWindows(try media.requireRecording())
    let video = try media.requireVideo()
    let size = try part.count("face-size")
    var halves: [[Float]] = []
    for index in 0..<video.count {
      let picture = try video.frame(index)
      let box = media.box ?? .whole(picture)
      try box.check(inside: picture)
      halves.append(lowerHalf(FaceCrop(picture, box, size: size)))
    }
    let vectors = try Vectors(part, windows, halves, size: size, host)
    guard !host.isCalibrating else { return }
    try host.show(.rows("cosine", vectors.cosines(late: 0)))
    let means = (-reach...reach).map { (late: $0, mean: vectors.mean(late: $0)) }
    let here = vectors.mean(late: 0)
    try host.show(.figure("sync-cosine", here))
    try host.show(
      .line("lips and speech: mean cosine \(Similarity.text(here)) over \(vectors.count) clips"))
    if let best = means.max(by: { ($0.mean, -abs($0.late)) < ($1.mean, -abs($1.late)) }) {
      try host.show(.figure("sync-offset", Double(best.late)))
      try host.show(
        .line(
          "they fit best with speech \(best.late) frames late: \(Similarity.text(best.mean))"))
    }
  }

  /// Frames by which speech is moved to find where it fits.
  static let reach = 15

  /// Blue, green and red of the lower half in [0, 1].
  static func lowerHalf(_ face: FaceCrop) -> [Float] {
    let (area, half) = (face.size * face.size, face.size / 2 * face.size)
    var lower: [Float] = []
    for channel in 0..<3 {
      lower += face.planes[channel * area + half..<(channel + 1) * area].map { $0 / 255 }
    }
    return lower
  }

  /// What the towers make of a recording and of a video.
  struct Vectors {
    private let heard: [[Float]]
    private let seen: [[Float]]

    init(
      _ part: FamilyModel.Part, _ windows: SpeechWindows, _ halves: [[Float]], size: Int,
      _ host: any FamilyHost
    ) throws(ModelError) {
      let clips = halves.count - frames + 1
      guard clips > 0 else {
        throw ModelError(.invalidValue, "\(halves.count) frames make no clip of \(frames)")
      }
      let audio = try part.port(part.inputs, "windows, N×1×80×16", GraphView.areWindows)
      let face = try part.port(part.inputs, "clips, N×15×S/2×S") { $0[1] == 3 * frames }
      let count = min(clips, windows.count)
      let chosen =
        host.isCalibrating
        ? FaceFrames.spread(count, ModelFamily.calibrationSamples) : Array(0..<count)
      var (heard, seen): ([[Float]], [[Float]]) = ([], [])
      let batch = ModelFamily.batch
      for start in stride(from: 0, to: chosen.count, by: batch) {
        let indices = (start..<start + batch).map { chosen[min($0, chosen.count - 1)] }
        let used = min(batch, chosen.count - start)
        let outputs = try host.run(
          part,
          [
            audio.name: try windows.tensor(indices),
            face.name: Tensor(
              try Shape([indices.count, 3 * frames, size / 2, size]),
              indices.flatMap { halves[$0..<$0 + frames].flatMap { $0 } }),
          ])
        guard let first = outputs[part.outputs[0].name], let second = outputs[part.outputs[1].name]
        else { throw ModelError(.missingInput, "part '\(part.name)' lacks an output") }
        heard += try first.rows().prefix(used)
        seen += try second.rows().prefix(used)
        host.progress(start + used, of: chosen.count)
      }
      self.heard = heard
      self.seen = seen
    }

    var count: Int { heard.count }

    private func values(late: Int) -> [Double] {
      seen.indices.compactMap { index in
        heard.indices.contains(index + late)
          ? Similarity.cosine(heard[index + late], seen[index]) : nil
      }
    }

    func mean(late: Int) -> Double {
      let values = values(late: late)
      return values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
    }

    func cosines(late: Int) throws(ModelError) -> Tensor {
      let values = values(late: late)
      return Tensor(try Shape([values.count]), values.map(Float.init))
    }
  }
}
