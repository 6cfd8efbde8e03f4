import MediaIO
import ModelIR
import TensorCore

/// The denoiser with test-time adaptation (arXiv 2207.02066): a clean picture and, from it, the noisy one
/// again; a small network says where the second should count.
///
/// Kept as the parts that adaptation needs: the body, both heads and the mask.
extension ModelFamily {
  package static let denoiser = ModelFamily(
    name: "denoiser",
    title: "denoiser with test-time adaptation",
    roles: [
      "restoration", "auxiliary-head", "auxiliary-head-float", "body", "mask", "primary-head",
      "primary-head-float",
    ],
    supporting: [
      "auxiliary-head", "auxiliary-head-float", "mask", "primary-head", "primary-head-float",
    ],
    recognise: Denoiser.recognise,
    nearMiss: Denoiser.nearMiss,
    split: Denoiser.split,
    links: Denoiser.links,
    settings: [
      Option(
        "adaptation",
        "defaults of the adaptation, one a line: `rate 3e-4`, `steps 5`, `preset light`")
    ],
    options: [
      Option("halo", "points around a tile that are computed and not kept (32)"),
      Option("tile", "points along the side of a tile; 0 takes the picture whole (512)"),
    ],
    media: [.image, .clean],
    perform: Denoiser.perform,
    staysFloat: [
      FloatRule("the picture itself is added here, and eight bits would round it") { graph, node in
        Denoiser.addsPicture(node, in: graph)
      }
    ],
    adapting: Denoiser.adapting, adapts: Denoiser.adapts, agreements: Denoiser.agreements)
}

package enum Denoiser {
  static let convolutions = 38
  static let resizes = 4
  /// Of the parts.
  static let partConvolutions = ["body": 29, "primary-head": 5, "auxiliary-head": 4, "mask": 8]

  /// Where a restoration network is cut.
  struct Cut {
    let noisy: (name: String, value: ValueID)
    let features: ValueID
    let residual: ValueID
    let clean: (name: String, value: ValueID)
    let again: (name: String, value: ValueID)

    init?(_ graph: Graph) {
      let view = GraphView(graph)
      guard graph.inputs.count == 1, graph.outputs.count == 2,
        let noisy = graph.inputs.first, Denoiser.planes(view.extents(noisy.value)) == 3
      else { return nil }
      for (index, port) in graph.outputs.enumerated() {
        guard let sum = graph.producer(of: port.value), view.kind(sum) == "Add",
          let residual = Denoiser.other(sum, than: noisy.value),
          let last = graph.producer(of: residual), view.kind(last) == "Conv",
          let end = last.inputs.first.flatMap({ $0 }),
          let middle = Denoiser.blockInput(end, view),
          let features = Denoiser.blockInput(middle, view)
        else { continue }
        let other = graph.outputs[1 - index]
        guard Denoiser.planes(view.extents(port.value)) == 3,
          Denoiser.planes(view.extents(other.value)) == 3
        else { continue }
        self.noisy = (noisy.name, noisy.value)
        self.features = features
        self.residual = residual
        clean = (port.name, port.value)
        again = (other.name, other.value)
        return
      }
      return nil
    }

    func pieces(of graph: Graph) throws(ModelError) -> [ModelFamily.Piece] {
      [
        .init(
          name: "body",
          graph: try graph.extracted(from: [noisy], to: [("features", features)])),
        .init(
          name: "primary-head",
          graph: try graph.extracted(
            from: [("features", features), noisy], to: [clean, ("residual", residual)])),
        .init(
          name: "auxiliary-head",
          graph: try graph.extracted(
            from: [clean, ("residual", residual)], to: [again])),
      ]
    }
  }

  /// The channels of N×C×H×W.
  private static func planes(_ extents: [Int?]?) -> Int? {
    extents.flatMap { $0.count == 4 ? $0[1] : nil }
  }

  /// The operand of a sum beside `value`.
  private static func other(_ node: Node, than value: ValueID) -> ValueID? {
    guard node.inputs.count == 2, let a = node.inputs[0], let b = node.inputs[1] else { return nil }
    if a == value { return b }
    return b == value ? a : nil
  }

  /// What goes into a residual block whose sum is `value`: x of x + conv(relu(conv(x))).
  private static func blockInput(_ value: ValueID, _ view: GraphView) -> ValueID? {
    guard let sum = view.graph.producer(of: value), view.kind(sum) == "Add", sum.inputs.count == 2
    else { return nil }
    for case let branch? in sum.inputs {
      guard let second = view.graph.producer(of: branch), view.kind(second) == "Conv",
        let gate = second.inputs[0].flatMap({ view.graph.producer(of: $0) }),
        ["Relu", "PRelu"].contains(view.kind(gate)),
        let first = gate.inputs[0].flatMap({ view.graph.producer(of: $0) }),
        view.kind(first) == "Conv", let x = first.inputs[0], other(sum, than: branch) == x
      else { continue }
      return x
    }
    return nil
  }

  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    let convolutions = view.convolutions
    guard !convolutions.isEmpty, convolutions.allSatisfy({ !$0.hasBias }) else { return nil }
    let inputs = graph.inputs.map { planes(view.extents($0.value)) }
    let outputs = graph.outputs.map { planes(view.extents($0.value)) }
    let count = convolutions.count
    if count == Self.convolutions, view.count("Resize") == resizes, inputs == [3],
      outputs == [3, 3], let cut = Cut(graph)
    {
      guard let pieces = try? cut.pieces(of: graph) else { return nil }
      let counts = pieces.map { GraphView($0.graph).convolutions.count }
      guard counts == [29, 5, 4] else { return nil }
      return .init("restoration", widths(view))
    }
    guard let role = partConvolutions.first(where: { $0.value == count })?.key else { return nil }
    switch role {
    case "body":
      guard view.count("Resize") == resizes, inputs == [3], outputs.count == 1,
        let features = outputs[0], features > 3
      else { return nil }
      return .init(role, widths(view))
    case "mask":
      guard inputs == [3], outputs == [1], view.count("Sigmoid") == 1, view.count("PRelu") == 3
      else { return nil }
      return .init(role)
    case "primary-head":
      return primaryHead(graph, view)
    default:
      guard inputs == [3, 3], outputs == [3], view.count("Concat") == 1 else { return nil }
      // What is concatenated first is the clean picture.
      guard let joined = graph.nodes.first(where: { view.kind($0) == "Concat" }),
        let first = graph.inputs.first(where: { $0.value == joined.inputs[0] }),
        let second = graph.inputs.first(where: { $0.value != first.value })
      else { return nil }
      return .init(
        role, [.init("clean-port", first.name), .init("residual-port", second.name)])
    }
  }

  private static func primaryHead(
    _ graph: Graph, _ view: GraphView
  ) -> ModelFamily.Recognition? {
    guard graph.inputs.count == 2, graph.outputs.count == 2 else { return nil }
    for clean in graph.outputs {
      guard let sum = graph.producer(of: clean.value), view.kind(sum) == "Add",
        let noisy = graph.inputs.first(where: { sum.inputs.contains($0.value) }),
        let residual = other(sum, than: noisy.value),
        let port = graph.outputs.first(where: { $0.value == residual }),
        let features = graph.inputs.first(where: { $0.value != noisy.value }),
        planes(view.extents(clean.value)) == 3
      else { continue }
      return .init(
        "primary-head",
        [
          .init("clean-port", clean.name), .init("features-port", features.name),
          .init("noisy-port", noisy.name), .init("residual-port", port.name),
        ])
    }
    return nil
  }

  /// Widths of the scales, from the weights.
  private static func widths(_ view: GraphView) -> [ModelFamily.Trait] {
    let widths = view.convolutions.compactMap { item in
      item.node.inputs[1].flatMap { view.extents($0)?[0] }
    }
    let distinct = Set(widths.filter { $0 > 3 }).sorted()
    return [.init("widths", distinct.map(String.init).joined(separator: " "))]
  }

  /// What keeps a graph of two pictures and many convolutions from being the denoiser.
  @Sendable static func nearMiss(_ graph: Graph) -> [String] {
    let view = GraphView(graph)
    let convolutions = view.convolutions
    let inputs = graph.inputs.map { planes(view.extents($0.value)) }
    let outputs = graph.outputs.map { planes(view.extents($0.value)) }
    guard inputs == [3], outputs.contains(3), (30...46).contains(convolutions.count),
      view.count("Resize") > 0
    else { return [] }
    var odd: [String] = []
    if convolutions.count != Self.convolutions {
      odd.append("\(convolutions.count) convolutions in place of \(Self.convolutions)")
    }
    let biased = convolutions.filter(\.hasBias).count
    if biased > 0 { odd.append("\(biased) convolutions have a bias") }
    if view.count("Resize") != resizes {
      odd.append("\(view.count("Resize")) resizings in place of \(resizes)")
    }
    if outputs != [3, 3] { odd.append("its outputs are not the clean picture and the noisy one") }
    if odd.isEmpty, Cut(graph) == nil { odd.append("no head of two blocks adds to the picture") }
    return odd
  }

  @Sendable static func split(_ graph: Graph) throws(ModelError) -> [ModelFamily.Piece] {
    guard recognise(graph)?.role == "restoration", let cut = Cut(graph) else {
      return [.init(name: nil, graph: graph)]
    }
    return try cut.pieces(of: graph)
  }

  @Sendable static func links(_ parts: [FamilyModel.Part]) -> [ModelFamily.Link] {
    func part(_ role: String) -> FamilyModel.Part? { parts.first { $0.role == role } }
    var links: [ModelFamily.Link] = []
    for form in ["", ModelFamily.floatSuffix] {
      guard let primary = part("primary-head" + form) else { continue }
      if let body = part("body"), let features = primary.trait("features-port") {
        links.append(.init((body.name, body.outputs[0].name), (primary.name, features)))
      }
      if let auxiliary = part("auxiliary-head" + form) {
        for key in ["clean-port", "residual-port"] {
          guard let from = primary.trait(key), let to = auxiliary.trait(key) else { continue }
          links.append(.init((primary.name, from), (auxiliary.name, to)))
        }
      }
    }
    return links
  }

  static func addsPicture(_ node: Node, in graph: Graph) -> Bool {
    let kind = Swift.type(of: node.op).name
    guard ["Add", "Conv"].contains(kind) else { return false }
    return node.inputs.enumerated().contains { index, input in
      guard let input, kind == "Add" || index > 2 else { return false }
      return graph.inputs.contains { $0.value == input }
        && planes(graph.type(input).dimensions?.map(\.value)) == 3
    }
  }

  @Sendable static func agreements(_ part: FamilyModel.Part) -> [ModelFamily.Agreement] {
    switch part.role {
    case "primary-head":
      [
        .init(
          output: part.trait("clean-port") ?? part.outputs[0].name,
          measure: .peakRatio(range: 1, atLeast: 38),
          reason: "what remains of noise is above it in any photograph")
      ]
    case "auxiliary-head":
      [
        .init(
          output: part.outputs[0].name, measure: .peakRatio(range: 1, atLeast: 30),
          reason: "its loss is a mean over the picture, of which this is a small part")
      ]
    case "mask":
      [
        .init(
          output: part.outputs[0].name, measure: .meanError(atMost: 0.02),
          reason: "a weight of the loss")
      ]
    default: []
    }
  }
}
