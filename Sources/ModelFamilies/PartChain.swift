import ModelIR
import TensorCore

/// Parts that run as one network: what one hands on to another as it is stays inside.
package struct PartChain: Sendable {
  /// Each after those that feed it.
  package let parts: [FamilyModel.Part]
  /// For inputs the outputs that they are.
  package let links: [Graph.Joint: Graph.Joint]
  /// What no other part reads, and whatever the family demands something of.
  package let outputs: [Graph.Joint]

  package var name: String { parts.map(\.name).joined(separator: PartChain.separator) }

  /// Between the names of parts that are meant as one.
  package static let separator = "+"
}

extension FamilyModel {
  /// The parts of these names as one network.
  ///
  /// - Throws: `usage` for a name that no part has.
  package func chain(_ names: [String]) throws(ModelError) -> PartChain {
    if let unknown = names.first(where: { name in !parts.contains { $0.name == name } }) {
      throw ModelError(
        .usage,
        "the model has no part '\(unknown)'; it has \(parts.map(\.name).joined(separator: ", "))")
    }
    let inside = links.filter {
      $0.rule == ModelFamily.Link.same && names.contains($0.from.part) && names.contains($0.to.part)
    }
    var open = parts.filter { names.contains($0.name) }
    var ordered: [Part] = []
    while let index = open.firstIndex(where: { part in
      !inside.contains { link in
        link.to.part == part.name && open.contains { $0.name == link.from.part }
      }
    }) { ordered.append(open.remove(at: index)) }
    let wanted = ordered.flatMap { part in
      part.outputs.map(\.name).filter { port in
        !inside.contains { $0.from == (part.name, port) }
          || family.agreements(part).contains { $0.output == port }
      }.map { Graph.Joint(part.name, $0) }
    }
    return PartChain(
      parts: ordered,
      links: Dictionary(
        inside.map {
          (Graph.Joint($0.to.part, $0.to.port), Graph.Joint($0.from.part, $0.from.port))
        },
        uniquingKeysWith: { $1 }),
      outputs: wanted)
  }
}

extension FamilyHost {
  /// Part after part.
  package func run(
    _ chain: PartChain, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor] {
    var made: [Graph.Joint: Tensor] = [:]
    for part in chain.parts {
      var given: [String: Tensor] = [:]
      for port in part.inputs.map(\.name) {
        given[port] = chain.links[Graph.Joint(part.name, port)].flatMap { made[$0] } ?? inputs[port]
      }
      for (port, tensor) in try run(part, given) { made[Graph.Joint(part.name, port)] = tensor }
    }
    return Dictionary(
      chain.outputs.compactMap { joint in made[joint].map { (joint.port, $0) } },
      uniquingKeysWith: { $1 })
  }
}
