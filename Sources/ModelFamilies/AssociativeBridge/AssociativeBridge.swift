import MediaIO
import ModelIR
import TensorCore

/// The associative bridge (arXiv 2204.01265): silent lips address remembered speech, and what they recall
/// helps to read a word or to say what was said.
///
/// Frames, classes, slots, heads and radius are the file's own.
extension ModelFamily {
  package static let associativeBridge = ModelFamily(
    name: "associative-bridge",
    title: "associative bridge from lips to speech",
    roles: [
      "lip-reader", "audio-visual", "speech", "target", "visual-front", "audio-front", "memory",
      "back-end",
    ],
    supporting: ["target", "audio-front", "memory", "back-end"],
    recognise: AssociativeBridge.recognise,
    nearMiss: AssociativeBridge.nearMiss,
    links: AssociativeBridge.links,
    settings: [Option("words", "the words of the classes, one a line")],
    options: [
      Option("flip", "yes: read the mirrored frames as well, and add what both say"),
      Option("iterations", "rounds of finding phases for speech (60)"),
    ],
    media: [.video, .audio],
    perform: AssociativeBridge.perform,
    staysFloat: [
      FloatRule("an address is a share of e^(radius · cosine), which eight bits are too coarse for")
      {
        Swift.type(of: $1.op).name == "Softmax"
      }
    ],
    agreements: AssociativeBridge.agreements)
}

package enum AssociativeBridge {
  /// Points along the side of a frame.
  static let side = 112
  static let bands = HeardMel.bands
  static let columnsPerFrame = 4

  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    let video = graph.inputs.first { isVideo(view.extents($0.value)) }
    let audio = graph.inputs.first { isAudio(view.extents($0.value)) }
    var traits: [ModelFamily.Trait] = []
    if let video, let frames = view.extents(video.value)?[2] {
      traits.append(.init("frames", "\(frames)"))
    }
    let memories = addresses(view)
    if let memory = memories.first {
      traits.append(.init("memory-slots", "\(memory.slots)"))
      traits.append(.init("memory-radius", AudioLipMemory.text(memory.radius)))
      if memory.heads > 1 { traits.append(.init("memory-heads", "\(memory.heads)")) }
      if memories.count > 1 { traits.append(.init("memories", "\(memories.count)")) }
    }
    let rest = graph.outputs.filter { port in
      !memories.contains { leads(from: $0.value, to: port.value, view) }
    }
    let address = graph.outputs.first { port in
      memories.contains { leads(from: $0.value, to: port.value, view) }
    }
    if let address { traits.append(.init("address-port", address.name)) }
    if video == nil, audio != nil, graph.inputs.count == 1, address != nil, rest.isEmpty,
      memories.count == 1
    {
      // Sound alone: it addresses the values that lips recall.
      return .init("target", traits)
    }
    guard rest.count == 1, let answer = Answer(rest[0], view) else { return nil }
    traits += answer.traits
    switch (video != nil, audio != nil, graph.inputs.count) {
    case (true, false, 1):
      guard hasFront(view) else { return nil }
      if case .features = answer { return seesOnly(view) ? .init("visual-front", traits) : nil }
      guard !memories.isEmpty else { return nil }
      traits.append(.init("back-end", backEnd(view)))
      return .init(answer.isSpeech ? "speech" : "lip-reader", traits)
    case (true, true, 2):
      guard hasFront(view), memories.isEmpty, case .words = answer else { return nil }
      return .init("audio-visual", traits + [.init("back-end", backEnd(view))])
    case (false, true, 1):
      guard memories.isEmpty, case .features = answer, hearsOnly(view) else { return nil }
      return .init("audio-front", traits)
    case (false, false, 1):
      guard isFeatures(view.extents(graph.inputs[0].value)) else { return nil }
      if case .features = answer { return memories.count == 1 ? .init("memory", traits) : nil }
      guard view.count("GRU") > 0 || view.count("Conv") > 0 else { return nil }
      return .init("back-end", traits + [.init("back-end", backEnd(view))])
    default: return nil
    }
  }

  /// Told for graphs that watch a clip of square grey frames, N×1×T×S×S.
  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    let clips = view.inputs {
      $0.count == 5 && $0[1] == 1 && $0[3] != nil && $0[3] == $0[4]
    }
    guard recognise(graph) == nil, clips.count == 1 else { return [] }
    var missing: [String] = []
    if let size = view.extents(clips[0].value)?[3], size != side {
      missing.append("frames of \(side)×\(side), not \(size)×\(size)")
    }
    let hears = view.inputs { isAudio($0) }.count
    if graph.inputs.count != 1 + min(hears, 1) {
      missing.append("no input but lips and sound, N×1×\(bands)×C")
    }
    if !hasFront(view) {
      missing.append("a convolution of 5×7×7 over time and space, and a pooling over space")
    }
    switch (hears, addresses(view).count) {
    case (0, 0): missing.append("a memory: softmax(radius · cosine) over constant keys")
    case (1..., 1...): missing.append("no memory, for sound takes its place")
    default: break
    }
    if missing.isEmpty {
      missing.append("one output N×classes or N×\(bands)×C besides the address")
    }
    return missing
  }

  /// An address of slots in a graph as it was imported.
  struct Address {
    let value: ValueID
    let slots: Int
    let heads: Int
    let radius: Double
  }

  /// Softmax over radius times a product of something normalised with constants that are: a matrix product,
  /// or heads side by side in an Einsum.
  static func addresses(_ view: GraphView) -> [Address] {
    view.graph.nodes.compactMap { softmax in
      guard view.kind(softmax) == "Softmax", let scores = softmax.inputs[0] else { return nil }
      var value = scores
      var radius = 1.0
      while let node = view.graph.producer(of: value) {
        if let factor = view.constantFactor(of: node) {
          radius *= factor.by
          value = factor.of
        } else if let passed = view.carried(by: node) {
          value = passed
        } else if let keys = view.productWithConstant(node) {
          guard view.isNormalised(keys.other) else { return nil }
          return Address(
            value: softmax.outputs[0], slots: keys.columns, heads: 1, radius: radius * keys.alpha)
        } else if view.kind(node) == "Einsum" {
          guard let extents = view.extents(softmax.outputs[0]), extents.count == 3,
            let heads = extents[1], let slots = extents[2],
            node.inputs.contains(where: { $0.map { view.isNormalised($0) } ?? false })
          else { return nil }
          return Address(
            value: softmax.outputs[0], slots: slots, heads: heads, radius: radius)
        } else {
          return nil
        }
      }
      return nil
    }
  }

  /// Whether an output is an address, rearranged at most.
  private static func leads(from value: ValueID, to output: ValueID, _ view: GraphView) -> Bool {
    var output = output
    while output != value {
      guard let node = view.graph.producer(of: output), let passed = view.carried(by: node) else {
        return false
      }
      output = passed
    }
    return true
  }

  @Sendable static func agreements(_ part: FamilyModel.Part) -> [ModelFamily.Agreement] {
    var agreements: [ModelFamily.Agreement] = []
    if let logits = part.trait("logits-port") {
      agreements.append(
        .init(
          output: logits, measure: .topAgreement(atLeast: 0.95),
          reason: "a word that is read otherwise is another word"))
    }
    if let mel = part.trait("mel-port") {
      agreements.append(
        .init(
          output: mel, measure: .meanError(atMost: 0.05),
          reason: "a twentieth of the half range is less than a decibel and a half"))
    }
    if let features = part.trait("features-port") {
      agreements.append(
        .init(
          output: features, measure: .cosine(atLeast: 0.98),
          reason: "the angle of a feature finds its slot"))
    }
    if let address = part.trait("address-port") {
      agreements.append(
        .init(
          output: address, measure: .divergence(atMost: 0.1),
          reason: "an address is a distribution over slots"))
    }
    return agreements
  }
}
