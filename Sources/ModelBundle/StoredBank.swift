import ModelIR
import TensorCore

/// What the memories of a bundle may hold in place of the keys and values that are constants of its graphs
/// (`B50`…`B52`).
package struct StoredBank: Sendable {
  /// Keys and values of one memory, with their scales where they are integers.
  package struct Entry: Sendable {
    package let graph: String
    /// The name of a node of the graph, whose operands 1 and 2 these are.
    package let memory: String
    package let keys: Tensor
    package let values: Tensor

    package init(graph: String, memory: String, keys: Tensor, values: Tensor) {
      self.graph = graph
      self.memory = memory
      self.keys = keys
      self.values = values
    }
  }

  package static let record = "banks"
  /// The bank of a bundle that does not name one.
  package static let trained = "trained"
  /// The most banks of a bundle.
  package static let most = 4096

  package let name: String
  package var entries: [Entry]

  package init(name: String, entries: [Entry]) {
    self.name = name
    self.entries = entries
  }

  /// Whether a bank may have this name.
  package static func isName(_ text: String) -> Bool { BundleJoin.isName(text) }

  /// The name of the sections with the tensors of a bank.
  static func section(_ name: String) -> String { "bank \(name)" }
}

/// The banks of a bundle: the name of the one in use, whose tensors are the graphs' own, the memories that it is of, and
/// those that lie ready.
package struct StoredBanks: Sendable {
  package var used: String
  package var others: [StoredBank]

  package init(used: String = StoredBank.trained, others: [StoredBank] = []) {
    self.used = used
    self.others = others
  }
}

// MARK: - As JSON

extension StoredBanks {
  func json(
    number: (Tensor, _ section: String) throws(ModelError) -> Int
  ) throws(ModelError) -> JSON {
    var list: [JSON] = []
    for bank in others {
      let section = StoredBank.section(bank.name)
      func numbers(_ tensor: Tensor) throws(ModelError) -> JSON {
        var numbers: [JSON] = [.integer(try number(tensor, section))]
        if let scales = tensor.quantization?.scales {
          numbers.append(.integer(try number(Tensor(vector: scales), section)))
        }
        return .array(numbers)
      }
      var memories: [JSON] = []
      for entry in bank.entries {
        memories.append([
          "graph": .string(entry.graph), "keys": try numbers(entry.keys),
          "memory": .string(entry.memory), "values": try numbers(entry.values),
        ])
      }
      list.append(["memories": .array(memories), "name": .string(bank.name)])
    }
    return ["others": .array(list), "used": .string(used)]
  }

  /// The names of the banks that are not in use.
  static func namesReady(_ json: JSON) throws(ModelError) -> [String] {
    try json.members(["others", "used"], of: "B50: the banks").member("others")
      .array("B50: others").map { (json) throws(ModelError) in
        try json.members(["memories", "name"], of: "B50: a bank").member("name").string("B50: name")
      }
  }

  /// - Throws: `malformed-input` or `limit-exceeded` with the clause that is broken.
  init(_ json: JSON, tensor: (Int) throws(ModelError) -> Tensor) throws(ModelError) {
    let members = try json.members(["others", "used"], of: "B50: the banks")
    used = try members.member("used").string("B50: used")
    let list = try members.member("others").array("B50: others")
    guard list.count < StoredBank.most else {
      throw ModelError(.limitExceeded, "B52: \(list.count + 1) banks, above \(StoredBank.most)")
    }
    /// Numbers of a tensor and, of integers, its scales along `axis`.
    func matrix(_ json: JSON, axis: Int) throws(ModelError) -> Tensor {
      let numbers = try json.array("B51: tensors").map { (json) throws(ModelError) in
        try tensor(try json.count("B51: a tensor"))
      }
      guard let stored = numbers.first, stored.shape.rank == 2,
        numbers.count == (stored.element == .float32 ? 1 : 2)
      else { throw ModelError(.malformedInput, "B51: keys and values are matrices") }
      guard numbers.count == 2 else { return stored }
      let scales = numbers[1]
      guard stored.element == .int8 || stored.element == .int16, scales.element == .float32,
        scales.shape.dimensions == [stored.shape[axis]],
        scales.floats().allSatisfy({ $0.isFinite && $0 > 0 })
      else { throw ModelError(.malformedInput, "B51: scales that do not fit their integers") }
      return stored.reading(
        as: QuantizationParameters(perChannel: scales.floats(), axis: axis))
    }
    others = try list.map { (json) throws(ModelError) in
      let members = try json.members(["memories", "name"], of: "B50: a bank")
      let entries = try members.member("memories").array("B50: memories").map {
        (json) throws(ModelError) in
        let entry = try json.members(["graph", "keys", "memory", "values"], of: "B51: a memory")
        return StoredBank.Entry(
          graph: try entry.member("graph").string("B51: graph"),
          memory: try entry.member("memory").string("B51: memory"),
          keys: try matrix(entry.member("keys"), axis: 0),
          values: try matrix(entry.member("values"), axis: 1))
      }
      return StoredBank(name: try members.member("name").string("B50: name"), entries: entries)
    }
  }

  /// Refuses banks that could not take the place of the one in use.
  func check(against graphs: [BundleContents.NamedGraph]) throws(ModelError) {
    let names = [used] + others.map(\.name)
    guard names.allSatisfy(StoredBank.isName), Set(names).count == names.count else {
      throw ModelError(
        .malformedInput,
        "B52: banks need names of their own, of lower-case letters, digits and hyphens")
    }
    for bank in others {
      guard bank.entries.map(\.graph) == others[0].entries.map(\.graph),
        bank.entries.map(\.memory) == others[0].entries.map(\.memory)
      else {
        throw ModelError(
          .malformedInput, "B51: '\(bank.name)' is not of the memories of '\(others[0].name)'")
      }
      for entry in bank.entries {
        let graph = graphs.first { $0.name == entry.graph }?.graph
        let node = graph?.nodes.first { $0.name == entry.memory }
        for (operand, own) in [(1, entry.keys), (2, entry.values)] {
          guard let graph, let node, operand < node.inputs.count,
            let constant = node.inputs[operand].flatMap({ graph.constant($0) }),
            constant.element == own.element, constant.shape == own.shape,
            constant.quantization?.axis == own.quantization?.axis
          else {
            throw ModelError(
              .malformedInput,
              "B51: bank '\(bank.name)' does not fit '\(entry.memory)' of graph '\(entry.graph)'")
          }
        }
      }
    }
  }
}
