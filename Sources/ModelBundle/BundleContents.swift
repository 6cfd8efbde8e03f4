import ModelIR
import TensorCore

/// What a bundle holds.
package struct BundleContents: Sendable {
  package struct NamedGraph: Sendable {
    package let name: String
    package let graph: Graph
    package init(_ name: String, _ graph: Graph) {
      self.name = name
      self.graph = graph
    }
  }

  /// The name of the graph in a bundle that has only one.
  package static let mainGraph = "main"
  /// The names of sections of tensors: of graphs, and of golden cases alone.
  static let constantTensors = "constants"
  static let goldenTensors = "goldens"
  package static let manifestRecord = "manifest"
  package static let calibrationRecord = "calibration"

  /// The record that says how a graph was calibrated (`B16`, `B25`).
  package static func calibrationRecord(of graph: String) -> String {
    graph == mainGraph ? calibrationRecord : "\(calibrationRecord) \(graph)"
  }

  /// In the order in which they are written; names are unique.
  package var graphs: [NamedGraph]
  package var manifest: BundleManifest
  /// JSON by name, besides the manifest and the join: `calibration`, `family` and what others add.
  package var records: [String: JSON]
  package var goldens: [StoredGolden]
  /// How the graphs work together; a bundle with one is of version 2.
  package var join: BundleJoin?
  /// The banks of the graphs' memories; nil where there is only the one that the graphs have.
  package var banks: StoredBanks?
  /// Constants of the graphs that are the bank in use, which have sections of their own.
  package var bankTensors: [Tensor] = []

  package init(
    graphs: [NamedGraph], manifest: BundleManifest, records: [String: JSON] = [:],
    goldens: [StoredGolden] = [], join: BundleJoin? = nil
  ) {
    self.graphs = graphs
    self.manifest = manifest
    self.records = records
    self.goldens = goldens
    self.join = join
  }

  /// A bundle of one graph.
  package init(
    _ graph: Graph, manifest: BundleManifest, records: [String: JSON] = [:],
    goldens: [StoredGolden] = []
  ) {
    self.init(
      graphs: [NamedGraph(BundleContents.mainGraph, graph)], manifest: manifest, records: records,
      goldens: goldens)
  }

  package func graph(_ name: String = mainGraph) -> Graph? {
    graphs.first { $0.name == name }?.graph
  }
}

/// Where a bundle came from (`B16`): no clock, no path, no host.
package struct BundleManifest: Sendable, Hashable, Codable {
  package struct Source: Sendable, Hashable, Codable {
    /// The file's name without folders.
    package var name: String
    package var sha256: String
    package var byteCount: Int
    package init(name: String, sha256: Digest, byteCount: Int) {
      self.name = name
      self.sha256 = sha256.description
      self.byteCount = byteCount
    }
  }

  /// Program and version that wrote the bundle.
  package var tool: String
  /// `float` or `int8`.
  package var profile: String
  package var family: String?
  package var sources: [Source]
  /// Options that shaped the content, by name.
  package var options: [String: String]

  package init(
    tool: String, profile: String, family: String? = nil, sources: [Source] = [],
    options: [String: String] = [:]
  ) {
    self.tool = tool
    self.profile = profile
    self.family = family
    self.sources = sources
    self.options = options
  }
}

/// Inputs and what they must give, kept in the bundle (`B15`).
package struct StoredGolden: Sendable, Hashable {
  package struct Port: Sendable, Hashable {
    package let name: String
    package let tensor: Tensor
    package init(_ name: String, _ tensor: Tensor) {
      self.name = name
      self.tensor = tensor
    }

    package static func == (a: Port, b: Port) -> Bool { a.name == b.name && a.tensor == b.tensor }
    package func hash(into hasher: inout Hasher) { hasher.combine(name) }
  }

  /// The digest of the bytes that the exact runtime gives for an output or an inner value.
  package struct Expected: Sendable, Hashable {
    package let name: String
    package let digest: Digest
    package init(_ name: String, _ digest: Digest) {
      self.name = name
      self.digest = digest
    }
  }

  package let name: String
  /// Name of the graph that it is about.
  package let graph: String
  package let inputs: [Port]
  /// What the model that was converted gives: agreement is measured against these.
  package let outputs: [Port]
  /// Of outputs, for equality.
  package let digests: [Expected]
  /// Of values inside the graph, by value name.
  package let layers: [Expected]

  package init(
    name: String, graph: String = BundleContents.mainGraph, inputs: [Port], outputs: [Port],
    digests: [Expected] = [], layers: [Expected] = []
  ) {
    self.name = name
    self.graph = graph
    self.inputs = inputs
    self.outputs = outputs
    self.digests = digests
    self.layers = layers
  }
}

// MARK: - Golden cases as JSON

extension StoredGolden {
  func json(number: (Tensor) throws(ModelError) -> Int) throws(ModelError) -> JSON {
    func ports(_ ports: [Port]) throws(ModelError) -> JSON {
      var list: [JSON] = []
      for port in ports {
        list.append(["name": .string(port.name), "tensor": .integer(try number(port.tensor))])
      }
      return .array(list)
    }
    func expected(_ list: [Expected]) -> JSON {
      .array(
        list.map { ["name": .string($0.name), "sha256": .string($0.digest.description)] })
    }
    return [
      "digests": expected(digests), "graph": .string(graph), "inputs": try ports(inputs),
      "layers": expected(layers), "outputs": try ports(outputs),
    ]
  }

  init(
    name: String, _ json: JSON, tensor: (Int) throws(ModelError) -> Tensor
  ) throws(ModelError) {
    let members = try json.members(
      ["digests", "graph", "inputs", "layers", "outputs"], of: "B15: golden '\(name)'")
    func ports(_ key: String) throws(ModelError) -> [Port] {
      try members.member(key).array("B15: \(key)").map { (json) throws(ModelError) in
        let port = try json.members(["name", "tensor"], of: "B15: a golden tensor")
        return Port(
          try port.member("name").string("B15: name"),
          try tensor(port.member("tensor").count("B15: tensor")))
      }
    }
    func expected(_ key: String) throws(ModelError) -> [Expected] {
      try members.member(key).array("B15: \(key)").map { (json) throws(ModelError) in
        let entry = try json.members(["name", "sha256"], of: "B15: a digest")
        guard let digest = Digest(try entry.member("sha256").string("B15: sha256")) else {
          throw ModelError(.malformedInput, "B15: a digest is not 64 hexadecimal digits")
        }
        return Expected(try entry.member("name").string("B15: name"), digest)
      }
    }
    self.init(
      name: name, graph: try members.member("graph").string("B15: graph"),
      inputs: try ports("inputs"), outputs: try ports("outputs"), digests: try expected("digests"),
      layers: try expected("layers"))
  }

  /// Refuses a golden that cannot be about `graph`.
  func check(against graph: Graph) throws(ModelError) {
    for (given, wanted) in [(inputs, graph.inputs), (outputs, graph.outputs)] {
      for port in given {
        guard let match = wanted.first(where: { $0.name == port.name }) else {
          throw ModelError(.malformedInput, "B15: graph '\(self.graph)' has no '\(port.name)'")
        }
        guard StoredGolden.fits(port.tensor, graph.type(match.value)) else {
          throw ModelError(
            .malformedInput,
            "B15: '\(port.name)' is \(port.tensor.type) and \(graph.type(match.value)) in the graph"
          )
        }
      }
    }
    for expected in digests where !graph.outputs.contains(where: { $0.name == expected.name }) {
      throw ModelError(.malformedInput, "B15: graph '\(self.graph)' has no '\(expected.name)'")
    }
  }

  private static func fits(_ tensor: Tensor, _ type: TensorType) -> Bool {
    guard tensor.element == type.element else { return false }
    guard let dimensions = type.dimensions else { return true }
    return dimensions.count == tensor.shape.rank
      && zip(dimensions, tensor.shape.dimensions).allSatisfy { $0.value ?? $1 == $1 }
  }
}
