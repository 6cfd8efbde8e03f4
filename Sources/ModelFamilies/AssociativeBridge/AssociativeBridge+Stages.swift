import MediaIO
import ModelIR
import TensorCore

/// The network as one graph, or in the stages of its checkpoints: what sees, what remembers, what answers.
extension AssociativeBridge {
  /// What a graph gives besides addresses.
  enum Answer {
    case words(port: String, classes: Int)
    case speech(port: String)
    /// N×T×W, for the next stage.
    case features(port: String, width: Int?)

    init?(_ port: ModelIR.Port, _ view: GraphView) {
      guard let extents = view.extents(port.value) else { return nil }
      if extents.count == 3, extents[1] == bands {
        self = .speech(port: port.name)
      } else if AssociativeBridge.isFeatures(extents) {
        self = .features(
          port: port.name, width: extents[2] ?? AssociativeBridge.width(ofFrames: view))
      } else if extents.count == 2, let classes = extents[1], classes > 1 {
        self = .words(port: port.name, classes: classes)
      } else {
        return nil
      }
    }

    var isSpeech: Bool { if case .speech = self { true } else { false } }

    var traits: [ModelFamily.Trait] {
      switch self {
      case .words(let port, let classes):
        [.init("classes", "\(classes)"), .init("logits-port", port)]
      case .speech(let port): [.init("mel-port", port)]
      case .features(let port, let width):
        [.init("features-port", port)] + (width.map { [.init("feature-width", "\($0)")] } ?? [])
      }
    }
  }

  static func isVideo(_ extents: [Int?]?) -> Bool {
    guard let extents, extents.count == 5 else { return false }
    return extents[1] == 1 && extents[3] == side && extents[4] == side
  }

  static func isAudio(_ extents: [Int?]?) -> Bool {
    guard let extents, extents.count == 4 else { return false }
    return extents[1] == 1 && extents[2] == bands
  }

  /// Features N×T×W.
  static func isFeatures(_ extents: [Int?]?) -> Bool {
    guard let extents, extents.count == 3 else { return false }
    return extents[1] != bands
  }

  /// The width of what sums a frame up, which some exporters leave open at the port.
  static func width(ofFrames view: GraphView) -> Int? {
    for node in view.graph.nodes {
      switch view.kind(node) {
      case "AveragePool": return view.extents(node.outputs[0])?[1]
      case "LayerNormalization": return view.extents(node.outputs[0])?.last ?? nil
      default: continue
      }
    }
    return nil
  }

  /// A convolution over time and space before all others, and a pooling over space.
  static func hasFront(_ view: GraphView) -> Bool {
    view.graph.nodes.contains { node in
      guard view.kind(node) == "Conv", let weight = node.inputs[1],
        let extents = view.extents(weight)
      else { return false }
      return extents.count == 5 && Array(extents.dropFirst()) == [1, 5, 7, 7]
    }
      && view.graph.nodes.contains { node in
        view.kind(node) == "MaxPool" && view.graph.type(node.outputs[0]).rank == 5
      }
  }

  /// Whether nothing follows the front but what sums a frame up: the mean of a corner of its 4×4 points, or all
  /// of them and a normalisation. Other lip readers have the mean of the whole frame here.
  static func seesOnly(_ view: GraphView) -> Bool {
    let pools = view.graph.nodes.filter { view.kind($0) == "AveragePool" }
    guard addresses(view).isEmpty, view.count("GRU") == 0, view.count("GlobalAveragePool") == 0
    else { return false }
    if let pool = pools.first, pools.count == 1, let read = pool.inputs[0] {
      return view.extents(read)?.suffix(2) == [4, 4]
    }
    return pools.isEmpty && view.count("LayerNormalization") == 1
  }

  /// Four convolutions that halve sound to the rate of frames, two of them beside their input.
  static func hearsOnly(_ view: GraphView) -> Bool {
    view.convolutions.count == 4 && view.count("GRU") == 0
  }

  static func backEnd(_ view: GraphView) -> String {
    if view.count("GRU") > 0 { return "gru" }
    return view.count("LayerNormalization") > 0 ? "temporal-with-memories" : "temporal"
  }

  /// The parts that lead from a clip to what `port` names, in their order: a whole network, or its stages. Nil
  /// where some are not there.
  static func road(_ model: FamilyModel, to port: String, whole: String) -> [FamilyModel.Part]? {
    if let part = model.part(whole) { return [part] }
    guard let front = model.part("visual-front"), let end = model.part("back-end"),
      end.trait(port) != nil
    else { return nil }
    if end.trait("memory-slots") != nil { return [front, end] }
    return model.part("memory").map { [front, $0, end] }
  }

  /// Runs the parts of a road, each on what the one before it gives. What they all give goes by the traits that
  /// name its ports.
  static func follow(
    _ road: [FamilyModel.Part], _ clip: Tensor, _ host: any FamilyHost
  ) throws(ModelError) -> [String: Tensor] {
    var given = clip
    var made: [String: Tensor] = [:]
    for part in road {
      let outputs = named(part, try host.run(part, [part.inputs[0].name: given]))
      made.merge(outputs) { $1 }
      if let features = made["features-port"] { given = features }
    }
    return made
  }

  /// Outputs by the traits that name their ports.
  static func named(_ part: FamilyModel.Part, _ outputs: [String: Tensor]) -> [String: Tensor] {
    var named: [String: Tensor] = [:]
    for trait in ["logits-port", "mel-port", "address-port", "features-port"] {
      named[trait] = part.trait(trait).flatMap { outputs[$0]?.dequantized() }
    }
    return named
  }

  @Sendable static func links(_ parts: [FamilyModel.Part]) -> [ModelFamily.Link] {
    let stages = ["visual-front", "memory", "back-end"].compactMap { role in
      parts.first { $0.role == role }
    }
    return zip(stages, stages.dropFirst()).compactMap { (from, to) in
      from.trait("features-port").map {
        ModelFamily.Link((from.name, $0), (to.name, to.inputs[0].name))
      }
    }
  }
}
