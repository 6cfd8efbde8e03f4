import MediaIO
import ModelIR
import TensorCore

/// The U-shaped half of a talking face: a masked face beside a whole one goes down six times, and comes up again with
/// what each level kept.
///
/// Found by structure alone: one input of six square planes, one output of three of the same size that ends in Tanh or
/// Sigmoid, six transposed convolutions and seven joins of channels.
struct TalkingFace {
  /// The range of colours, by what the network ends in.
  enum Bound: String {
    case tanh, sigmoid

    /// What a colour of 0…255 is to the network.
    func value(of colour: Float) -> Float { self == .tanh ? colour / 127.5 - 1 : colour / 255 }
    func colour(of value: Float) -> Float { self == .tanh ? (value + 1) * 127.5 : value * 255 }
    var width: Double { self == .tanh ? 2 : 1 }
  }

  let size: Int
  /// Channels of each level, from the deepest up.
  let skipWidths: [Int]
  let bound: Bound
  let faces: String
  let frames: String

  /// What is missing of a talking face in `view`, in words; none where it is one.
  static func missing(_ view: GraphView) -> [String] {
    var missing: [String] = []
    let face = TalkingFace.face(view)
    if face == nil { missing.append("an input of six square planes") }
    if let face, TalkingFace.picture(view, size: face.size) == nil {
      missing.append("one output of three planes of \(face.size)×\(face.size)")
    } else if let face, let picture = TalkingFace.picture(view, size: face.size),
      TalkingFace.bound(view, picture.value) == nil
    {
      missing.append("a Tanh or Sigmoid before the frames")
    }
    let raised = view.count("ConvTranspose")
    if raised != 6 { missing.append("six transposed convolutions, not \(raised)") }
    let joins = TalkingFace.joins(view).count
    if joins != 7 { missing.append("seven joins of channels, not \(joins)") }
    return missing
  }

  init?(_ view: GraphView) {
    guard TalkingFace.missing(view).isEmpty, let face = TalkingFace.face(view),
      let picture = TalkingFace.picture(view, size: face.size),
      let bound = TalkingFace.bound(view, picture.value)
    else { return nil }
    size = face.size
    faces = face.name
    frames = picture.name
    self.bound = bound
    skipWidths = TalkingFace.joins(view).compactMap { node in
      node.inputs.last.flatMap { $0 }.flatMap { view.extents($0)?[1] }
    }
  }

  var traits: [ModelFamily.Trait] {
    [
      ModelFamily.Trait("face-size", "\(size)"),
      ModelFamily.Trait("skip-widths", skipWidths.map(String.init).joined(separator: " ")),
    ]
  }

  private static func face(_ view: GraphView) -> (name: String, size: Int)? {
    let found = view.graph.inputs.compactMap { port -> (name: String, size: Int)? in
      guard let extents = view.extents(port.value), extents.count == 4, extents[1] == 6,
        let size = extents[2], extents[3] == size
      else { return nil }
      return (port.name, size)
    }
    return found.count == 1 ? found[0] : nil
  }

  private static func picture(_ view: GraphView, size: Int) -> ModelIR.Port? {
    let found = view.graph.outputs.filter { port in
      view.extents(port.value).map { $0.count == 4 && Array($0.dropFirst()) == [3, size, size] }
        ?? false
    }
    return found.count == 1 ? found[0] : nil
  }

  private static func joins(_ view: GraphView) -> [Node] {
    view.graph.nodes.filter {
      view.kind($0) == "Concat" && view.graph.type($0.outputs[0]).rank == 4
    }
  }

  private static func bound(_ view: GraphView, _ value: ValueID) -> Bound? {
    guard let node = view.graph.producer(of: value) else { return nil }
    switch view.kind(node) {
    case "Tanh": return .tanh
    case "Sigmoid": return .sigmoid
    default:
      for attribute in node.op.attributes where attribute.name == "activation" {
        guard case .string(let name) = attribute.value else { continue }
        return Bound(rawValue: name)
      }
      return nil
    }
  }
}

extension GraphView {
  /// Layers of attention, their heads, and the width between the two products that follow each.
  struct Attention {
    let layers: Int
    let heads: Int
    let hidden: Int?
  }

  /// The attention of a graph in which all layers are alike; nil where there is none.
  ///
  /// Scores are the softmax of rank 4, whose second extent counts the heads; in newer exports one node is
  /// all of it.
  var attention: Attention? {
    var heads: [Int] = []
    var hidden: [Int] = []
    for node in graph.nodes {
      guard let extents = extents(node.outputs[0]) else { continue }
      switch kind(node) {
      case "Softmax", "Attention":
        guard extents.count == 4, let count = extents[1] else { continue }
        heads.append(count)
      case "Gelu", "Erf":
        if extents.count == 3, let width = extents[2] { hidden.append(width) }
      case "Conv":
        if extents.count == 3, let width = extents[1] { hidden.append(width) }
      default: continue
      }
    }
    guard let first = heads.first, heads.allSatisfy({ $0 == first }) else { return nil }
    return Attention(layers: heads.count, heads: first, hidden: hidden.max())
  }

  /// Inputs whose extents `fits` takes.
  func inputs(_ fits: ([Int?]) -> Bool) -> [ModelIR.Port] {
    graph.inputs.filter { extents($0.value).map(fits) ?? false }
  }

  /// Outputs whose extents `fits` takes.
  func outputs(_ fits: ([Int?]) -> Bool) -> [ModelIR.Port] {
    graph.outputs.filter { extents($0.value).map(fits) ?? false }
  }

  /// Whether extents are those of windows of speech, N×1×80×16.
  static func areWindows(_ extents: [Int?]) -> Bool {
    extents.count == 4
      && Array(extents.dropFirst()) == [1, MelSpectrogram.bands, MelSpectrogram.windowColumns]
  }

  /// The width of a feature N×C that is computed from windows of speech alone, by 13 or 14 convolutions.
  var speechFeature: Int? {
    guard graph.inputs.count == 1, inputs(GraphView.areWindows).count == 1,
      graph.outputs.count == 1, let extents = extents(graph.outputs[0].value),
      let width = extents.count > 1 ? extents[1] : nil,
      extents.dropFirst(2).allSatisfy({ $0 == 1 }),
      (13...14).contains(count("Conv")), attention == nil
    else { return nil }
    return width
  }
}

extension FamilyModel.Part {
  /// The one port whose extents `fits` takes.
  ///
  /// - Throws: `shape-mismatch` where none or several have them.
  func port(
    _ ports: [FamilyModel.Port], _ what: String, _ fits: ([Int?]) -> Bool
  ) throws(ModelError) -> FamilyModel.Port {
    let found = ports.filter { $0.type.dimensions.map { fits($0.map(\.value)) } ?? false }
    guard found.count == 1 else {
      throw ModelError(
        .shapeMismatch, "\(found.count) ports of part '\(name)' have the shape of \(what)")
    }
    return found[0]
  }

  /// A trait that is a number.
  func count(_ name: String) throws(ModelError) -> Int {
    guard let text = trait(name), let value = Int(text), (1...1 << 20).contains(value) else {
      throw ModelError(.invalidValue, "part '\(self.name)' has no count '\(name)' on record")
    }
    return value
  }
}
