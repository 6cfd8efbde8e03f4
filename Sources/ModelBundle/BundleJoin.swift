import ModelIR
import TensorCore

/// How the graphs of a bundle work together (`B22`…`B25`).
package struct BundleJoin: Sendable, Hashable {
  /// A graph, and what it is in the family.
  package struct Part: Sendable, Hashable {
    package let graph: String
    package let role: String

    package init(graph: String, role: String) {
      self.graph = graph
      self.role = role
    }
  }

  /// A port of a graph.
  package struct Port: Sendable, Hashable {
    package let part: String
    package let port: String

    package init(_ part: String, _ port: String) {
      self.part = part
      self.port = port
    }
  }

  /// An output that becomes an input.
  package struct Link: Sendable, Hashable {
    package let from: Port
    package let to: Port
    /// ``same``, or a rule that the family knows.
    package let rule: String

    package init(from: Port, to: Port, rule: String = BundleJoin.same) {
      self.from = from
      self.to = to
      self.rule = rule
    }
  }

  /// The rule of links that hand a tensor on as it is.
  package static let same = "same"
  package static let record = "join"
  /// Links that a bundle may have (`B20`).
  static let maximumLinks = 4096

  package var family: String
  /// Every graph of the bundle, in its order.
  package var parts: [Part]
  package var links: [Link]
  /// What the family was told at conversion, such as its words.
  package var settings: [String: JSON]

  package init(
    family: String, parts: [Part], links: [Link] = [], settings: [String: JSON] = [:]
  ) {
    self.family = family
    self.parts = parts
    self.links = links
    self.settings = settings
  }

  var json: JSON {
    func port(_ port: Port) -> JSON { ["part": .string(port.part), "port": .string(port.port)] }
    return [
      "family": .string(family),
      "joins": .array(
        links.map { ["from": port($0.from), "rule": .string($0.rule), "to": port($0.to)] }),
      "parts": .array(
        parts.map { ["graph": .string($0.graph), "role": .string($0.role)] }),
      "settings": .object(settings),
    ]
  }

  init(_ json: JSON) throws(ModelError) {
    let members = try json.members(["family", "joins", "parts", "settings"], of: "B22: join")
    family = try members.member("family").string("B22: family")
    parts = try members.member("parts").array("B22: parts").map { (json) throws(ModelError) in
      let part = try json.members(["graph", "role"], of: "B22: a part")
      return Part(
        graph: try part.member("graph").string("B22: graph"),
        role: try part.member("role").string("B22: role"))
    }
    func port(_ json: JSON) throws(ModelError) -> Port {
      let port = try json.members(["part", "port"], of: "B23: an end of a join")
      return Port(
        try port.member("part").string("B23: part"), try port.member("port").string("B23: port"))
    }
    links = try members.member("joins").array("B23: joins").map { (json) throws(ModelError) in
      let link = try json.members(["from", "rule", "to"], of: "B23: a join")
      return Link(
        from: try port(link.member("from")), to: try port(link.member("to")),
        rule: try link.member("rule").string("B23: rule"))
    }
    settings = try members.member("settings").object("B25: settings")
  }

  /// Holds the record to the graphs that it is about.
  func check(against graphs: [BundleContents.NamedGraph]) throws(ModelError) {
    guard BundleJoin.isName(family), parts.allSatisfy({ BundleJoin.isName($0.role) }) else {
      throw ModelError(.malformedInput, "B22: families and roles are lower-case words with hyphens")
    }
    guard parts.map(\.graph) == graphs.map(\.name) else {
      throw ModelError(.malformedInput, "B22: the parts are not the graphs, in their order")
    }
    guard Set(parts.map(\.role)).count == parts.count else {
      throw ModelError(.malformedInput, "B22: two parts have one role")
    }
    guard links.count <= BundleJoin.maximumLinks else {
      throw ModelError(.limitExceeded, "B20: \(links.count) joins")
    }
    var fed: Set<Port> = []
    for link in links {
      guard BundleJoin.isName(link.rule) else {
        throw ModelError(.malformedInput, "B23: '\(link.rule)' is no rule")
      }
      let from = try BundleJoin.type(of: link.from, in: graphs, \.outputs)
      let to = try BundleJoin.type(of: link.to, in: graphs, \.inputs)
      guard fed.insert(link.to).inserted else {
        throw ModelError(.malformedInput, "B24: two joins end at '\(link.to)'")
      }
      guard link.rule != BundleJoin.same || BundleJoin.agree(from, to) else {
        throw ModelError(
          .malformedInput, "B23: '\(link.from)' is \(from) and '\(link.to)' is \(to)")
      }
    }
    _ = try order()
  }

  /// The parts so that each comes after those that feed it.
  ///
  /// - Throws: `malformed-input` where parts feed each other.
  package func order() throws(ModelError) -> [String] {
    var order: [String] = []
    var open = parts.map(\.graph)
    while !open.isEmpty {
      let ready = open.first { part in
        !links.contains { $0.to.part == part && open.contains($0.from.part) }
      }
      guard let ready else {
        throw ModelError(
          .malformedInput, "B24: \(open.joined(separator: ", ")) feed each other")
      }
      order.append(ready)
      open.removeAll { $0 == ready }
    }
    return order
  }

  private static func type(
    of port: Port, in graphs: [BundleContents.NamedGraph], _ ports: KeyPath<Graph, [ModelIR.Port]>
  ) throws(ModelError) -> TensorType {
    guard let graph = graphs.first(where: { $0.name == port.part })?.graph,
      let found = graph[keyPath: ports].first(where: { $0.name == port.port })
    else { throw ModelError(.malformedInput, "B23: there is no port '\(port)'") }
    return graph.type(found.value)
  }

  /// Whether a tensor of type `a` can be of type `b`.
  private static func agree(_ a: TensorType, _ b: TensorType) -> Bool {
    guard a.logical.element == b.logical.element else { return false }
    guard let from = a.dimensions, let to = b.dimensions else { return true }
    return from.count == to.count
      && zip(from, to).allSatisfy { $0.value == nil || $1.value == nil || $0.value == $1.value }
  }

  static func isName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 64
      && text.utf8.allSatisfy {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains($0)
          || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: "-")
      }
  }
}

extension BundleJoin.Port: CustomStringConvertible {
  package var description: String { "\(part).\(port)" }
}
