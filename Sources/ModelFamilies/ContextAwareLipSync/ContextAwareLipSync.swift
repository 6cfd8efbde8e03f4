import MediaIO
import ModelIR
import TensorCore

/// Context-aware lip-sync (CALS, arXiv 2305.19556): speech becomes a lip motion unit for each video frame, in the
/// context of its neighbours, and a U-shaped network draws the unit on a face.
///
/// Windows, widths, layers, heads and face size are the file's own.
extension ModelFamily {
  package static let contextAwareLipSync = ModelFamily(
    name: "context-aware-lip-sync",
    title: "context-aware lip-sync talking face",
    roles: ["whole", "lips", "face", "phones", "context"],
    supporting: ["phones", "context"],
    recognise: ContextAwareLipSync.recognise,
    nearMiss: ContextAwareLipSync.nearMiss,
    links: ContextAwareLipSync.links,
    options: [
      Option(
        "mode", "centre: each frame amid its own neighbours; block: neighbours at once, faster"),
      Option("shift", "video frames by which speech is read later; −1 is how training read it"),
    ],
    media: [.audio, .face],
    perform: ContextAwareLipSync.perform,
    staysFloat: [
      FloatRule("attention is a share of e^score, which eight bits are too coarse for") {
        ["Softmax", "Attention"].contains(Swift.type(of: $1.op).name)
      }
    ],
    agreements: ContextAwareLipSync.agreements)
}

package enum ContextAwareLipSync {
  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    if let (role, traits) = lips(view) { return ModelFamily.Recognition(role, traits) }
    if let traits = face(view) { return ModelFamily.Recognition("face", traits) }
    if let width = view.speechFeature {
      return ModelFamily.Recognition("phones", [ModelFamily.Trait("width", "\(width)")])
    }
    if let traits = context(view) { return ModelFamily.Recognition("context", traits) }
    return nil
  }

  /// W windows of speech for each sample: B×W×1×80×16.
  private static func sequence(_ view: GraphView) -> (port: ModelIR.Port, windows: Int)? {
    let found = view.inputs {
      $0.count == 5
        && Array($0.dropFirst(2)) == [1, MelSpectrogram.bands, MelSpectrogram.windowColumns]
    }
    guard found.count == 1, let windows = view.extents(found[0].value)?[1], windows % 2 == 1
    else { return nil }
    return (found[0], windows)
  }

  /// Audio to lips, alone or with the face behind it.
  private static func lips(_ view: GraphView) -> (String, [ModelFamily.Trait])? {
    guard let sequence = sequence(view), let attention = view.attention,
      view.graph.outputs.count == 1
    else { return nil }
    var traits = describe(attention) + [ModelFamily.Trait("windows", "\(sequence.windows)")]
    if let face = TalkingFace(view), face.bound == .tanh, view.graph.inputs.count == 2,
      KeyValueMemory.all(in: view.graph).isEmpty
    {
      traits += face.traits
      return ("whole", traits)
    }
    guard view.graph.inputs.count == 1, view.count("Conv") == 13,
      let units = view.extents(view.graph.outputs[0].value), units.count == 3,
      units[1] == sequence.windows, let width = units[2]
    else { return nil }
    return ("lips", traits + [ModelFamily.Trait("width", "\(width)")])
  }

  /// A face drawn from a vector, with nothing remembered and nothing heard.
  private static func face(_ view: GraphView) -> [ModelFamily.Trait]? {
    guard let face = TalkingFace(view), face.bound == .tanh, view.graph.inputs.count == 2,
      view.graph.outputs.count == 1, view.attention == nil,
      KeyValueMemory.all(in: view.graph).isEmpty,
      let width = FaceVector.width(view)
    else { return nil }
    return face.traits + [ModelFamily.Trait("width", "\(width)")]
  }

  /// Features of W frames to as many units of the same width.
  static func context(_ view: GraphView) -> [ModelFamily.Trait]? {
    guard view.graph.inputs.count == 1, view.graph.outputs.count == 1, view.count("Conv") == 0,
      let attention = view.attention,
      let features = view.extents(view.graph.inputs[0].value), features.count == 3,
      let windows = features[1], windows % 2 == 1, let width = features[2],
      let units = view.extents(view.graph.outputs[0].value), units.count == 3,
      units[1] == windows, units[2] == width
    else { return nil }
    return describe(attention) + [
      ModelFamily.Trait("width", "\(width)"), ModelFamily.Trait("windows", "\(windows)"),
    ]
  }

  private static func describe(_ attention: GraphView.Attention) -> [ModelFamily.Trait] {
    var traits = [
      ModelFamily.Trait("heads", "\(attention.heads)"),
      ModelFamily.Trait("layers", "\(attention.layers)"),
    ]
    if let hidden = attention.hidden {
      traits.append(ModelFamily.Trait("hidden-width", "\(hidden)"))
    }
    return traits
  }

  /// Told for graphs that read W windows of speech, which nothing else does.
  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    guard recognise(graph) == nil else { return [] }
    let sequences = view.inputs {
      $0.count == 5
        && Array($0.dropFirst(2)) == [1, MelSpectrogram.bands, MelSpectrogram.windowColumns]
    }
    guard let found = sequences.first else { return [] }
    var reasons: [String] = []
    if let windows = view.extents(found.value)?[1] {
      if windows % 2 == 0 { reasons.append("an odd number of windows, not \(windows)") }
    } else {
      reasons.append("a fixed number of windows")
    }
    if view.attention == nil { reasons.append("attention whose layers have the same heads") }
    if view.count("ConvTranspose") > 0 {
      reasons += TalkingFace.missing(view)
      return reasons
    }
    if graph.inputs.count != 1 { reasons.append("no input but windows of speech") }
    if view.count("Conv") != 13 {
      reasons.append("an encoder of speech with 13 convolutions, not \(view.count("Conv"))")
    }
    if reasons.isEmpty { reasons.append("one output of a unit for each window") }
    return reasons
  }

  @Sendable static func links(_ parts: [FamilyModel.Part]) -> [ModelFamily.Link] {
    func port(_ role: String, _ ports: (FamilyModel.Part) -> [FamilyModel.Port], _ rank: Int) -> (
      part: String, port: String
    )? {
      guard let part = parts.first(where: { $0.role == role }),
        let found = ports(part).first(where: { $0.type.rank == rank })
      else { return nil }
      return (part.name, found.name)
    }
    var links: [ModelFamily.Link] = []
    let units = port("lips", \.outputs, 3) ?? port("context", \.outputs, 3)
    if let units, let unit = port("face", \.inputs, 2) ?? port("face", \.inputs, 4) {
      links.append(ModelFamily.Link(units, unit, rule: "middle-unit"))
    }
    if let features = port("phones", \.outputs, 2), let context = port("context", \.inputs, 3) {
      links.append(ModelFamily.Link(features, context, rule: "neighbours"))
    }
    return links
  }

  @Sendable static func agreements(_ part: FamilyModel.Part) -> [ModelFamily.Agreement] {
    part.outputs.compactMap { port in
      switch part.role {
      case "face", "whole":
        return ModelFamily.Agreement(
          output: port.name, measure: .peakRatio(range: 2, atLeast: 35),
          reason: "above 35 dB the two pictures cannot be told apart side by side")
      case "lips", "context": return unitAgreement(port.name)
      default: return nil
      }
    }
  }

  static func unitAgreement(_ output: String) -> ModelFamily.Agreement {
    ModelFamily.Agreement(
      output: output, measure: .cosine(atLeast: 0.99),
      reason: "a unit that points elsewhere moves other lips; training itself reaches no more")
  }
}

/// The vector that a face is drawn from: the one input of a generator that is no face.
enum FaceVector {
  static func fits(_ extents: [Int?]) -> Bool {
    (extents.count == 2 || extents.count == 4 && extents[2] == 1 && extents[3] == 1)
      && extents[1] != nil
  }

  static func width(_ view: GraphView) -> Int? {
    let found = view.inputs(fits)
    guard found.count == 1 else { return nil }
    return view.extents(found[0].value)?[1]
  }
}
