import ModelIR
import TensorCore

/// A model whose family is known: one graph, or several that work together.
package struct FamilyModel: Sendable {
  package let family: ModelFamily
  package private(set) var parts: [Part]
  /// What the family was told at conversion: lines by name.
  package var settings: [String: [String]]

  /// A graph of the model.
  package struct Part: Sendable {
    package let name: String
    package let role: String
    package let traits: [ModelFamily.Trait]
    package let inputs: [Port]
    package let outputs: [Port]

    package func trait(_ name: String) -> String? { traits.first { $0.name == name }?.value }

    /// The same graph in another role.
    package func with(role: String) -> Part {
      Part(name: name, role: role, traits: traits, inputs: inputs, outputs: outputs)
    }
  }

  /// What the family demands of a part's outputs.
  package func agreements(onPart name: String) -> [ModelFamily.Agreement] {
    parts.first { $0.name == name }.map(family.agreements) ?? []
  }

  /// The same by output.
  package func demands(onPart name: String) -> [String: ModelFamily.Agreement] {
    Dictionary(agreements(onPart: name).map { ($0.output, $0) }, uniquingKeysWith: { $1 })
  }

  /// A named input or output with its type.
  package struct Port: Sendable {
    package let name: String
    package let type: TensorType
  }

  /// Recognises one graph: by what a bundle recorded, else by structure. Nil for everything else, which
  /// stays a plain graph.
  package init?(_ graph: Graph, among families: [ModelFamily] = allFamilies) {
    self.init([(name: "main", graph: graph)], among: families)
  }

  /// Recognises graphs that work together: each has a role of one family that no other has.
  package init?(
    _ graphs: [(name: String, graph: Graph)], settings: [String: [String]] = [:],
    among families: [ModelFamily] = allFamilies
  ) {
    for family in families {
      var parts: [Part] = []
      for (name, graph) in graphs {
        guard let found = FamilyModel.recognise(graph, as: family) else { break }
        func ports(_ ports: [ModelIR.Port]) -> [Port] {
          ports.map { Port(name: $0.name, type: graph.type($0.value)) }
        }
        parts.append(
          Part(
            name: name, role: found.role, traits: found.traits, inputs: ports(graph.inputs),
            outputs: ports(graph.outputs)))
      }
      guard !graphs.isEmpty, parts.count == graphs.count,
        Set(parts.map(\.role)).count == parts.count,
        parts.contains(where: { !family.supporting.contains($0.role) })
      else { continue }
      self.family = family
      self.parts = parts
      self.settings = settings
      return
    }
    return nil
  }

  private static func recognise(
    _ graph: Graph, as family: ModelFamily
  ) -> ModelFamily.Recognition? {
    guard let recorded = graph.metadata[key], allFamilies.contains(where: { $0.name == recorded })
    else { return family.recognise(graph) }
    guard recorded == family.name else { return nil }
    let prefix = key + "."
    var traits: [ModelFamily.Trait] = []
    var role = family.roles[0]
    for (name, value) in graph.metadata.sorted(by: { $0.key < $1.key })
    where name.hasPrefix(prefix) {
      if name == roleKey {
        role = value
      } else {
        traits.append(ModelFamily.Trait(String(name.dropFirst(prefix.count)), value))
      }
    }
    return ModelFamily.Recognition(role, traits)
  }

  private static let key = "family"
  private static let roleKey = "family.role"

  /// The graph of a part with the family on record, for passes may hide the structure that showed it.
  package func recorded(in graph: Graph, part: Part) -> Graph {
    var graph = graph
    graph.metadata[Self.key] = family.name
    if part.role != family.roles[0] { graph.metadata[Self.roleKey] = part.role }
    for trait in part.traits { graph.metadata["\(Self.key).\(trait.name)"] = trait.value }
    return graph
  }

  /// The same model with some of its parts.
  func with(_ parts: [Part]) -> FamilyModel {
    var model = self
    model.parts = parts
    return model
  }

  /// The part of a role.
  package func part(_ role: String) -> Part? { parts.first { $0.role == role } }

  /// The part of a role that the model cannot do without.
  package func require(_ role: String) throws(ModelError) -> Part {
    guard let part = part(role) else {
      throw ModelError(
        .missingInput,
        "the model has no part '\(role)'; it has \(parts.map(\.role).joined(separator: ", "))")
    }
    return part
  }

  package var links: [ModelFamily.Link] { family.links(parts) }

  /// The first rule that keeps `node` in float.
  package func reasonToStayFloat(_ node: Node, in graph: Graph) -> String? {
    family.staysFloat.first { $0.matches(graph, node) }?.reason
  }
}
