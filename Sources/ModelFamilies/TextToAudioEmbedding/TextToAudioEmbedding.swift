import MediaIO
import ModelIR
import TensorCore

/// The text-to-audio-embedding module (TAEM, arXiv 2306.16003): phones, said in the voice that a face promises, become
/// the features that a talking face makes of speech, so that one face speaks from text or from audio.
///
/// Parts are an encoder of phones with their durations, a refiner of what they become frame by frame, an encoder
/// of the speaker's face, the talking face's own encoder of speech, and the talking face from features on: one that
/// remembers lips, one that does not, or a context-aware one in its two parts. Widths, heads, layers, vocabulary and
/// face sizes are the files' own.
extension ModelFamily {
  package static let textToAudioEmbedding = ModelFamily(
    name: "text-to-audio-embedding",
    title: "text-driven talking face",
    roles: ["encoder", "refine", "speaker", "audio", "context", "base"],
    supporting: ["refine", "speaker", "audio", "context"],
    recognise: TextToAudioEmbedding.recognise,
    nearMiss: TextToAudioEmbedding.nearMiss,
    links: TextToAudioEmbedding.links,
    settings: [
      Option("lexicon", "words and their phones, as in the CMU dictionary, a line each"),
      Option("phones", "the phones by their numbers, a line each; ARPAbet where nothing is said"),
    ],
    options: [
      Option("stretch", "what every duration is multiplied by; 0.5 speaks twice as fast"),
      Option("durations", "video frames of each phone, in place of the model's own"),
      Option("phones", "what to say as phones, in place of a text"),
      Option(
        "mode", "how a context-aware base finds neighbours: centre, or block, which is faster"),
    ],
    media: [.text, .audio, .face],
    perform: TextToAudioEmbedding.perform,
    staysFloat: [
      FloatRule("attention is a share of e^score, which eight bits are too coarse for") {
        ["Softmax", "Attention"].contains(Swift.type(of: $1.op).name)
      }
    ],
    agreements: TextToAudioEmbedding.agreements)
}

enum TextToAudioEmbedding {
  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    if let traits = encoder(view) { return ModelFamily.Recognition("encoder", traits) }
    if let traits = refine(view) { return ModelFamily.Recognition("refine", traits) }
    if let traits = ContextAwareLipSync.context(view) {
      return ModelFamily.Recognition("context", traits)
    }
    if let traits = speaker(view) { return ModelFamily.Recognition("speaker", traits) }
    if let traits = base(view) { return ModelFamily.Recognition("base", traits) }
    if let width = view.speechFeature {
      return ModelFamily.Recognition("audio", [ModelFamily.Trait("feature-width", "\(width)")])
    }
    return nil
  }

  /// Whole numbers B×L, the phones.
  static func phoneIDs(_ view: GraphView) -> ModelIR.Port? {
    let found = view.graph.inputs.filter {
      let type = view.graph.type($0.value)
      return [.int64, .int32].contains(type.element) && type.rank == 2
    }
    return found.count == 1 ? found[0] : nil
  }

  /// The constant whose rows the phones choose.
  private static func embedding(_ view: GraphView) -> (vocabulary: Int, width: Int)? {
    guard let phones = phoneIDs(view) else { return nil }
    var chosen = [phones.value]
    for reader in view.readers(of: phones.value) where view.kind(reader) == "Cast" {
      chosen.append(reader.outputs[0])
    }
    for reader in chosen.flatMap({ view.readers(of: $0) }) where view.kind(reader) == "Gather" {
      guard let table = reader.inputs[0], view.graph.constant(table) != nil,
        let extents = view.extents(table), extents.count == 2, let rows = extents[0],
        let width = extents[1]
      else { continue }
      return (rows, width)
    }
    return nil
  }

  private static func encoder(_ view: GraphView) -> [ModelFamily.Trait]? {
    guard missingOfEncoder(view).isEmpty, let embedding = embedding(view),
      let attention = view.attention
    else { return nil }
    var traits = [
      ModelFamily.Trait("vocabulary", "\(embedding.vocabulary)"),
      ModelFamily.Trait("width", "\(embedding.width)"),
    ]
    traits += describe(attention, view)
    if let speaker = view.inputs({ $0.count == 2 }).first,
      let width = view.extents(speaker.value)?[1]
    {
      traits.append(ModelFamily.Trait("speaker-width", "\(width)"))
    }
    return traits
  }

  /// What keeps a graph that reads whole numbers from being the encoder.
  private static func missingOfEncoder(_ view: GraphView) -> [String] {
    var missing: [String] = []
    guard phoneIDs(view) != nil else { return ["an input of phones, whole numbers B×L"] }
    let embedding = embedding(view)
    if embedding == nil { missing.append("a table whose rows the phones choose") }
    if view.attention == nil { missing.append("attention whose layers have the same heads") }
    let hidden = view.outputs { $0.count == 3 && $0[2] != nil }
    if hidden.count != 1 || hidden.first.flatMap({ view.extents($0.value)?[2] }) != embedding?.width
    {
      missing.append("one output B×L×\(embedding.map { "\($0.width)" } ?? "width")")
    }
    if view.outputs({ $0.count == 2 }).count != 1 || view.graph.outputs.count != 2 {
      missing.append("one output of durations, B×L")
    }
    if view.inputs({ $0.count == 2 && $0[1] != nil }).count != view.graph.inputs.count - 1
      || view.graph.inputs.count > 2
    {
      missing.append("no input besides the phones but a speaker, B×width")
    }
    if lineConvolutions(view) < 2 {
      missing.append("convolutions over the phones")
    }
    return missing
  }

  private static func refine(_ view: GraphView) -> [ModelFamily.Trait]? {
    guard view.graph.inputs.count == 1, view.graph.outputs.count == 1,
      let expanded = view.extents(view.graph.inputs[0].value), expanded.count == 3,
      let width = expanded[2],
      let features = view.extents(view.graph.outputs[0].value), features.count == 3,
      let feature = features[2], let attention = view.attention,
      lineConvolutions(view) == 2 * attention.layers
    else { return nil }
    return [
      ModelFamily.Trait("feature-width", "\(feature)"), ModelFamily.Trait("width", "\(width)"),
    ]
      + describe(attention, view)
  }

  /// A residual network of 20 convolutions from a square picture to a vector of norm one.
  private static func speaker(_ view: GraphView) -> [ModelFamily.Trait]? {
    guard view.graph.inputs.count == 1, view.graph.outputs.count == 1,
      let face = view.extents(view.graph.inputs[0].value), face.count == 4, face[1] == 3,
      let size = face[2], face[3] == size,
      let vector = view.extents(view.graph.outputs[0].value), vector.count == 2,
      let width = vector[1], view.count("Conv") == 20, view.count("MaxPool") == 1,
      view.isNormalised(view.graph.outputs[0].value)
    else { return nil }
    return [
      ModelFamily.Trait("face-size", "\(size)"), ModelFamily.Trait("speaker-width", "\(width)"),
    ]
  }

  /// A talking face that is told features instead of speech.
  private static func base(_ view: GraphView) -> [ModelFamily.Trait]? {
    guard let face = TalkingFace(view), view.graph.inputs.count == 2, view.attention == nil,
      let width = FaceVector.width(view)
    else { return nil }
    let memories = KeyValueMemory.all(in: view.graph)
    guard memories.count <= 1, memories.isEmpty || face.bound == .tanh else { return nil }
    var traits =
      face.traits + [
        ModelFamily.Trait("colours", face.bound.rawValue),
        ModelFamily.Trait("feature-width", "\(width)"),
      ]
    if let memory = memories.first {
      traits.append(ModelFamily.Trait("memory-slots", "\(memory.slots)"))
    }
    return traits
  }

  /// Convolutions along one axis.
  private static func lineConvolutions(_ view: GraphView) -> Int {
    view.graph.nodes.filter {
      view.kind($0) == "Conv" && view.graph.type($0.outputs[0]).rank == 3
    }.count
  }

  private static func describe(
    _ attention: GraphView.Attention, _ view: GraphView
  ) -> [ModelFamily.Trait] {
    var traits = [
      ModelFamily.Trait("heads", "\(attention.heads)"),
      ModelFamily.Trait("layers", "\(attention.layers)"),
    ]
    if let hidden = attention.hidden {
      traits.append(ModelFamily.Trait("hidden-width", "\(hidden)"))
    }
    if let positions = positions(view) {
      traits.append(ModelFamily.Trait("positions", "\(positions)"))
    }
    return traits
  }

  /// How long an input may be: the rows of the constant 1×P×width that positions are cut from.
  private static func positions(_ view: GraphView) -> Int? {
    for node in view.graph.nodes where view.kind(node) == "Slice" {
      guard let table = node.inputs.first.flatMap({ $0 }), view.graph.constant(table) != nil,
        let extents = view.extents(table), extents.count == 3, extents[0] == 1
      else { continue }
      return extents[1]
    }
    return nil
  }

  /// Told for graphs that read phones and give durations, or nearly so.
  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    guard phoneIDs(view) != nil, embedding(view) != nil, recognise(graph) == nil,
      !view.outputs({ $0.count == 3 }).isEmpty,
      !view.outputs({ $0.count == 2 }).isEmpty
        || lineConvolutions(view) > 0
    else { return [] }
    return missingOfEncoder(view)
  }

  @Sendable static func links(_ parts: [FamilyModel.Part]) -> [ModelFamily.Link] {
    func end(_ role: String, _ ports: (FamilyModel.Part) -> [FamilyModel.Port], _ rank: Int) -> (
      part: String, port: String
    )? {
      guard let part = parts.first(where: { $0.role == role }),
        let port = ports(part).first(where: {
          $0.type.rank == rank && $0.type.logical.element == .float32
        })
      else { return nil }
      return (part.name, port.name)
    }
    var links: [ModelFamily.Link] = []
    if let from = end("speaker", \.outputs, 2), let to = end("encoder", \.inputs, 2) {
      links.append(ModelFamily.Link(from, to))
    }
    if let from = end("encoder", \.outputs, 3), let to = end("refine", \.inputs, 3) {
      links.append(ModelFamily.Link(from, to, rule: "repeat-by-duration"))
    }
    let unit = end("base", \.inputs, 2)
    if let to = end("context", \.inputs, 3), let from = end("context", \.outputs, 3), let unit {
      if let feature = end("refine", \.outputs, 3) {
        links.append(ModelFamily.Link(feature, to, rule: "neighbours"))
      }
      links.append(ModelFamily.Link(from, unit, rule: "middle-unit"))
    } else if let from = end("refine", \.outputs, 3), let unit {
      links.append(ModelFamily.Link(from, unit, rule: "frame-by-frame"))
    }
    return links
  }

  @Sendable static func agreements(_ part: FamilyModel.Part) -> [ModelFamily.Agreement] {
    part.outputs.compactMap { port in
      switch (part.role, port.type.rank) {
      case ("base", 4):
        return ModelFamily.Agreement(
          output: port.name,
          measure: .peakRatio(
            range: part.trait("colours") == TalkingFace.Bound.sigmoid.rawValue ? 1 : 2, atLeast: 35),
          reason: "above 35 dB the two pictures cannot be told apart side by side")
      case ("encoder", 2):
        return ModelFamily.Agreement(
          output: port.name, measure: .meanError(atMost: 0.05),
          reason: "a twentieth of a logarithm is less than a frame for phones of half a second")
      case ("refine", 3), ("audio", _), ("speaker", _):
        return ModelFamily.Agreement(
          output: port.name, measure: .cosine(atLeast: 0.99),
          reason: "features of text and of speech are further apart than that")
      case ("context", 3): return ContextAwareLipSync.unitAgreement(port.name)
      default: return nil
      }
    }
  }
}
