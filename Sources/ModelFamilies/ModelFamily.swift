import MediaIO
import ModelIR
import TensorCore

/// What is particular to one kind of network: how its graphs are recognised and joined, what their inputs
/// are made of, what their outputs show, what must stay float and how close an int8 form has to be.
///
/// A family adds knowledge and nothing else: no operator, no pass, no way of running of its own.
package struct ModelFamily: Sendable {
  /// Kebab-case; what bundles record.
  package let name: String
  /// A noun phrase for people.
  package let title: String
  /// What a graph can be in the family; the first is what a bundle of one graph has.
  package let roles: [String]
  /// Roles that claim nothing by themselves: too many networks have such a graph.
  package let supporting: Set<String>
  /// What a graph's structure tells, or nil where it is not of this family.
  package let recognise: @Sendable (Graph) -> Recognition?
  /// What keeps a graph that resembles the family from being of it; none where it does not resemble it.
  package let nearMiss: @Sendable (Graph) -> [String]
  /// The parts that one graph of several roles is kept as; the graph itself where it is one part.
  package let split: @Sendable (Graph) throws(ModelError) -> [Piece]
  /// How parts work together.
  package let links: @Sendable ([FamilyModel.Part]) -> [Link]
  /// What may be told at conversion.
  package let settings: [Option]
  /// What may be chosen in a run.
  package let options: [Option]
  /// What a run takes.
  package let media: [Medium]
  /// Makes inputs of media, has the parts run, and shows what comes out.
  package let perform:
    @Sendable (FamilyModel, MediaInputs, any FamilyHost) throws(ModelError) -> Void
  /// What an int8 form leaves in float.
  package let staysFloat: [FloatRule]
  /// What of a model may adapt to an input, by the graphs of its parts; the first is the usual choice.
  package let adapts: @Sendable (FamilyModel, (String) -> Graph?) -> [AdaptationPreset]
  /// Roles of which an int8 model keeps the float32 form too, because it adapts.
  package let adapting: [String]
  /// How close int8 outputs of a part have to be to float ones.
  package let agreements: @Sendable (FamilyModel.Part) -> [Agreement]

  package init(
    name: String, title: String, roles: [String], supporting: Set<String> = [],
    recognise: @escaping @Sendable (Graph) -> Recognition?,
    nearMiss: @escaping @Sendable (Graph) -> [String] = { _ in [] },
    split: @escaping @Sendable (Graph) throws(ModelError) -> [Piece] = { graph in
      [Piece(name: nil, graph: graph)]
    },
    links: @escaping @Sendable ([FamilyModel.Part]) -> [Link] = { _ in [] },
    settings: [Option] = [], options: [Option] = [], media: [Medium],
    perform:
      @escaping @Sendable (FamilyModel, MediaInputs, any FamilyHost) throws(ModelError) -> Void,
    staysFloat: [FloatRule] = [], adapting: [String] = [],
    adapts:
      @escaping @Sendable (FamilyModel, (String) -> Graph?) -> [AdaptationPreset] = { _, _ in [] },
    agreements: @escaping @Sendable (FamilyModel.Part) -> [Agreement]
  ) {
    self.name = name
    self.title = title
    self.roles = roles
    self.supporting = supporting
    self.recognise = recognise
    self.nearMiss = nearMiss
    self.split = split
    self.links = links
    self.settings = settings
    self.options = options
    self.media = media
    self.perform = perform
    self.staysFloat = staysFloat
    self.adapting = adapting
    self.adapts = adapts
    self.agreements = agreements
  }

  /// What one graph is.
  package struct Recognition: Sendable {
    package let role: String
    package let traits: [Trait]

    package init(_ role: String, _ traits: [Trait] = []) {
      self.role = role
      self.traits = traits
    }
  }

  /// A fact about one model of the family, read from its graph.
  package struct Trait: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  /// A graph of a split one; `name` is nil where it keeps the name it came with.
  package struct Piece: Sendable {
    package let name: String?
    package let graph: Graph

    package init(name: String?, graph: Graph) {
      self.name = name
      self.graph = graph
    }
  }

  /// An output of one part that becomes an input of another.
  package struct Link: Sendable, Hashable {
    package let from: (part: String, port: String)
    package let to: (part: String, port: String)
    /// `same`, or a rule that the family carries out itself.
    package let rule: String

    package init(
      _ from: (part: String, port: String), _ to: (part: String, port: String),
      rule: String = Link.same
    ) {
      self.from = from
      self.to = to
      self.rule = rule
    }

    package static let same = "same"

    package static func == (a: Link, b: Link) -> Bool {
      a.from == b.from && a.to == b.to && a.rule == b.rule
    }

    package func hash(into hasher: inout Hasher) {
      hasher.combine(from.part)
      hasher.combine(to.part)
      hasher.combine(to.port)
    }
  }

  /// A name with what it means.
  package struct Option: Sendable {
    package let name: String
    package let meaning: String

    package init(_ name: String, _ meaning: String) {
      self.name = name
      self.meaning = meaning
    }
  }

  /// A kind of input that people have.
  package enum Medium: String, Sendable, CaseIterable {
    case audio, text, face, video, image, clean
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
    package let measure: Measure
    package let reason: String

    package init(output: String, measure: Measure, reason: String) {
      self.output = output
      self.measure = measure
      self.reason = reason
    }
  }

  /// What is measured between two forms of an output, and the bound that it has to keep.
  package enum Measure: Sendable, Hashable {
    /// Peak signal-to-noise ratio for values over `range`, at least so many decibels.
    case peakRatio(range: Double, atLeast: Double)
    /// The share of rows whose greatest element is at the same place, at least so much.
    case topAgreement(atLeast: Double)
    /// The mean over rows of Σ p·ln(p/q), at most so much.
    case divergence(atMost: Double)
    /// The mean absolute difference, at most so much.
    case meanError(atMost: Double)
    /// The mean cosine of rows along the last axis, at least so much.
    case cosine(atLeast: Double)
  }
}

/// Every family, alphabetically; the only list.
package let allFamilies: [ModelFamily] = [
  .associativeBridge,
  .audioLipMemory,
  .contextAwareLipSync,
  .denoiser,
  .syncCritic,
  .textToAudioEmbedding,
  .wav2Lip,
]
