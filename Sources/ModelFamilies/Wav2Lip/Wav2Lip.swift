import MediaIO
import ModelIR
import TensorCore

/// Wav2Lip: a window of speech and a masked face to a frame, with nothing remembered. Colours are in [0, 1].
///
/// Face size and widths are the file's own.
extension ModelFamily {
  package static let wav2Lip = ModelFamily(
    name: "wav2-lip",
    title: "Wav2Lip talking face",
    roles: ["generator"],
    recognise: Wav2Lip.recognise,
    nearMiss: Wav2Lip.nearMiss,
    options: [
      Option("shift", "video frames by which speech is read later; −1 is how training read it")
    ],
    media: [.audio, .face],
    perform: Wav2Lip.perform,
    agreements: { part in
      guard let frames = part.outputs.first else { return [] }
      return [
        Agreement(
          output: frames.name, measure: .peakRatio(range: 1, atLeast: 35),
          reason: "above 35 dB the two pictures cannot be told apart side by side")
      ]
    })
}

enum Wav2Lip {
  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    guard let face = TalkingFace(view), missing(view).isEmpty else { return nil }
    return ModelFamily.Recognition(
      "generator", face.traits + [ModelFamily.Trait("colours", face.bound.rawValue)])
  }

  /// Told for graphs that read speech and a face and end in a Sigmoid, or nearly are faces.
  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    guard view.inputs(GraphView.areWindows).count == 1,
      view.inputs({ $0.count == 4 && $0[1] == 6 }).count == 1,
      KeyValueMemory.all(in: graph).isEmpty
    else { return [] }
    return TalkingFace.missing(view) + missing(view)
  }

  private static func missing(_ view: GraphView) -> [String] {
    var missing: [String] = []
    if view.graph.inputs.count != 2 || view.inputs(GraphView.areWindows).count != 1 {
      missing.append("an input of windows of speech, N×1×80×16")
    }
    if view.graph.outputs.count != 1 { missing.append("one output") }
    if let face = TalkingFace(view), face.bound != .sigmoid {
      missing.append("a Sigmoid before the frames, not a Tanh")
    }
    if !KeyValueMemory.all(in: view.graph).isEmpty { missing.append("no memory") }
    if view.count("Conv") != 45 {
      missing.append("45 convolutions, not \(view.count("Conv"))")
    }
    return missing
  }

  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let shift = Int(try media.number("shift", in: -5...5) ?? 0)
    let recording = try media.requireRecording()
    let windows = try SpeechWindows(recording, shift: shift)
    let face = try FaceFrames(
      model.parts[0], media, row: "windows, N×1×80×16", GraphView.areWindows)
    try face.draw(windows.count, on: host) { (indices) throws(ModelError) in
      try windows.tensor(indices)
    }
    if !host.isCalibrating { try host.show(.speech(recording)) }
  }
}
