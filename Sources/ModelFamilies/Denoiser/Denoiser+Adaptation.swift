import ModelIR
import TensorCore

extension ModelFamily {
  /// A choice of what adapts to an input.
  package struct AdaptationPreset: Sendable {
    package let name: String
    /// Whether the loss counts where the mask is above one half, or everywhere by as much as the mask says.
    package let isHard: Bool
    /// Constants of the parts.
    package let tensors: [(part: String, tensor: String)]
  }

  /// What ends the name and the role of the float32 form of a part.
  package static let floatSuffix = "-float"
}

/// Adaptation as published: the heads but for their first tensor with a hard mask, or everything with a soft one.
extension Denoiser {
  /// Roles whose float32 form is stored beside an int8 one.
  static let adapting = ["primary-head", "auxiliary-head"]

  /// Points around a tile that what a part makes of it depends on. The body halves twice.
  package static let reach = ["body": 80, "mask": 12, "primary-head": 8, "auxiliary-head": 4]

  @Sendable static func adapts(
    _ model: FamilyModel, _ graph: (_ part: String) -> Graph?
  ) -> [ModelFamily.AdaptationPreset] {
    /// Weights of the convolutions in their order, as part and tensor.
    func weights(_ role: String, quantized: Bool = false) -> [(part: String, tensor: String)] {
      guard let part = model.part(role), let graph = graph(part.name) else { return [] }
      return GraphView(graph).convolutions.compactMap { item in
        guard let id = item.node.inputs[1], graph.constant(id) != nil,
          (graph.type(id).quantization != nil) == quantized
        else { return nil }
        return (part.name, graph[id].name)
      }
    }
    func head(_ role: String) -> [(part: String, tensor: String)] {
      let float = weights(role + ModelFamily.floatSuffix)
      return float.isEmpty ? weights(role) : float
    }
    guard model.part("mask") != nil, model.part("body") != nil else { return [] }
    let (primary, auxiliary) = (head("primary-head"), head("auxiliary-head"))
    var presets: [ModelFamily.AdaptationPreset] = []
    if primary.count == partConvolutions["primary-head"],
      auxiliary.count == partConvolutions["auxiliary-head"]
    {
      presets.append(
        .init(name: "heads_hard", isHard: true, tensors: primary.dropFirst() + auxiliary))
      let body = weights("body")
      if body.count == partConvolutions["body"] {
        presets.append(.init(name: "all_soft", isHard: false, tensors: body + primary + auxiliary))
      }
    }
    let light = adapting.flatMap { weights($0, quantized: true) }
    if light.count > 1 { presets.append(.init(name: "light", isHard: true, tensors: light)) }
    return presets
  }
}
