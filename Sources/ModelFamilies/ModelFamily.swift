import MediaIO
import ModelIR
import TensorCore

/// What is particular to one kind of network: how it is recognised, what its inputs are made of, what
/// its outputs show, what must stay float and how close its int8 form has to be.
///
/// A family adds knowledge and nothing else: no operator, no pass, no way of running of its own.
package struct ModelFamily: Sendable {
  /// Kebab-case; what bundles record.
  package let name: String
  /// A noun phrase for people.
  package let title: String
  /// What the graph's structure tells, or nil where it is not of this family.
  package let recognise: @Sendable (Graph) -> [Trait]?
  /// Makes inputs of recordings and pictures.
  package let prepare: @Sendable (FamilyModel, MediaInputs) throws(ModelError) -> PreparedMedia
  /// Pictures that a batch of outputs, by port name, stands for.
  package let pictures:
    @Sendable (FamilyModel, [String: Tensor], MediaInputs) throws(ModelError) -> [Image]
  /// What an int8 form leaves in float.
  package let staysFloat: [FloatRule]
  /// How close int8 outputs have to be to float ones.
  package let agreements: @Sendable (FamilyModel) -> [Agreement]

  /// A fact about one model of the family, read from its graph.
  package struct Trait: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// Nodes that an int8 form leaves in float, and why.
  package struct FloatRule: Sendable {
    package let reason: String
    package let matches: @Sendable (Graph, Node) -> Bool

    package init(_ reason: String, matches: @escaping @Sendable (Graph, Node) -> Bool) {
      self.reason = reason
      self.matches = matches
    }
  }

  /// A bound on the distance between two forms of one model.
  package struct Agreement: Sendable, Hashable {
    /// The output that it is about.
    package let output: String
    /// Peak signal-to-noise ratio in decibels that the int8 form has to reach.
    package let decibels: Double
    /// Width of the output's range: 2 for values in [-1, 1].
    package let range: Double
    package let reason: String
  }
}

/// A model whose family is known.
package struct FamilyModel: Sendable {
  package let family: ModelFamily
  package let traits: [ModelFamily.Trait]
  package let inputs: [Port]
  package let outputs: [Port]

  /// A named input or output with its type.
  package struct Port: Sendable {
    package let name: String
    package let type: TensorType
  }

  /// Recognises `graph`: by what a bundle recorded, else by structure. Nil for everything else, which
  /// stays a plain graph.
  package init?(_ graph: Graph, among families: [ModelFamily] = allFamilies) {
    let recorded = graph.metadata[Self.key].flatMap { name in
      families.first { $0.name == name }
    }
    if let recorded {
      let prefix = Self.key + "."
      family = recorded
      traits = graph.metadata.filter { $0.key.hasPrefix(prefix) }.sorted { $0.key < $1.key }
        .map { ModelFamily.Trait(String($0.key.dropFirst(prefix.count)), $0.value) }
    } else {
      let found = families.lazy.compactMap { family in
        family.recognise(graph).map { (family, $0) }
      }.first
      guard let found else { return nil }
      family = found.0
      traits = found.1
    }
    inputs = graph.inputs.map { Port(name: $0.name, type: graph.type($0.value)) }
    outputs = graph.outputs.map { Port(name: $0.name, type: graph.type($0.value)) }
  }

  private static let key = "family"

  /// `graph` with the family on record, for passes may hide the structure that showed it.
  package func recorded(in graph: Graph) -> Graph {
    var graph = graph
    graph.metadata[Self.key] = family.name
    for trait in traits { graph.metadata["\(Self.key).\(trait.name)"] = trait.value }
    return graph
  }

  package func trait(_ name: String) -> String? { traits.first { $0.name == name }?.value }

  package var agreements: [ModelFamily.Agreement] { family.agreements(self) }

  /// The first rule that keeps `node` in float.
  package func reasonToStayFloat(_ node: Node, in graph: Graph) -> String? {
    family.staysFloat.first { $0.matches(graph, node) }?.reason
  }
}

/// Every family, alphabetically; the only list.
package let allFamilies: [ModelFamily] = [
  .audioLipMemory
]
