import MediaIO
import ModelIR
import TensorCore

extension AudioLipMemory {
  /// Frames around each that the encoder of lips sees.
  static let lipFrames = 5

  /// The generator, or the encoder of lips that taught it what to remember.
  @Sendable static func recogniseAnyPart(_ graph: Graph) -> ModelFamily.Recognition? {
    recognise(graph) ?? lips(graph)
  }

  /// Five frames N×3×5×S×S to a feature, by one convolution over time and fourteen over space; perhaps with the
  /// address of what it remembers.
  private static func lips(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    guard graph.inputs.count == 1, let clip = view.extents(graph.inputs[0].value),
      clip.count == 5, clip[1] == 3, clip[2] == lipFrames, let size = clip[3], clip[4] == size,
      view.count("Conv") == 15, view.attention == nil,
      graph.nodes.filter({ view.kind($0) == "Conv" && graph.type($0.outputs[0]).rank == 5 }).count
        == 1,
      (1...2).contains(graph.outputs.count)
    else { return nil }
    var traits = [ModelFamily.Trait("face-size", "\(size)")]
    for port in graph.outputs {
      guard let extents = view.extents(port.value), extents.count >= 2, let width = extents[1],
        extents.dropFirst(2).allSatisfy({ $0 == 1 })
      else { return nil }
      let isAddress = graph.producer(of: port.value).map { view.kind($0) == "Softmax" } ?? false
      traits.append(ModelFamily.Trait(isAddress ? "slots" : "feature-width", "\(width)"))
    }
    guard traits.contains(where: { $0.name == "feature-width" }) else { return nil }
    return ModelFamily.Recognition("lips", traits)
  }

  /// Told for graphs that draw a face from speech and have a memory or end as this family does, but not all
  /// of it.
  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    guard recogniseAnyPart(graph) == nil, view.inputs(GraphView.areWindows).count == 1,
      view.inputs({ $0.count == 4 && $0[1] == 6 }).count == 1
    else { return [] }
    let memories = KeyValueMemory.all(in: graph)
    guard !memories.isEmpty || view.count("Softmax") > 0 || TalkingFace(view)?.bound == .tanh
    else { return [] }
    var missing = TalkingFace.missing(view)
    if memories.count != 1 {
      missing.append(
        "one memory: softmax(radius · cosine) over constant keys, then constant values")
    }
    if graph.inputs.count != 2 { missing.append("no input but speech and faces") }
    return missing
  }

  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    if let video = media.video {
      guard let lips = model.part("lips") else {
        throw ModelError(.missingInput, "the model has no part 'lips' that could watch a video")
      }
      try watch(video, lips, media, host)
      guard media.recording != nil else { return }
    }
    let generator = try model.require("generator")
    try ModelFamily.framewise(prepare: prepare, pictures: pictures)(
      model.with([generator]), media, host)
  }

  /// What the encoder of lips makes of each frame amid its neighbours: the upper half of each at 0, the ends
  /// standing for those beyond.
  private static func watch(
    _ video: FrameFolder, _ part: FamilyModel.Part, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let size = try part.count("face-size")
    let area = size * size
    var faces: [[Float]] = []
    for index in 0..<video.count {
      let picture = try video.frame(index)
      let box = media.box ?? .whole(picture)
      try box.check(inside: picture)
      var planes = FaceCrop(picture, box, size: size).planes.map { $0 / 127.5 - 1 }
      for channel in 0..<3 {
        for place in channel * area..<channel * area + size / 2 * size { planes[place] = 0 }
      }
      faces.append(planes)
    }
    let batch = ModelFamily.batch
    for start in stride(from: 0, to: faces.count, by: batch) {
      let indices = (start..<start + batch).map { min($0, faces.count - 1) }
      var values: [Float] = []
      for index in indices {
        let around = (index - 2...index + 2).map { min(max($0, 0), faces.count - 1) }
        for channel in 0..<3 {
          for frame in around { values += faces[frame][channel * area..<(channel + 1) * area] }
        }
      }
      let outputs = try host.run(
        part,
        [
          part.inputs[0].name: Tensor(
            try Shape([indices.count, 3, lipFrames, size, size]), values)
        ])
      let used = min(batch, faces.count - start)
      for port in part.outputs {
        guard let tensor = outputs[port.name] else { continue }
        try host.show(.rows(port.name, try tensor.prefix(used)))
      }
      host.progress(start + used, of: faces.count)
    }
  }
}
