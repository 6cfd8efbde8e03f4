import Foundation
import ModelBundle
import ModelIR
import ModelOperators
import ModelPasses
import ModelQuantization
import OnnxFormat
import TensorCore

/// Lists, takes out, puts in and chooses what the memories of a bundle hold.
package struct BankRequest: Sendable {
  package enum Action: Sendable {
    case list
    /// Writes a bank to an archive.
    case export(String, file: String)
    /// Adds a bank from an archive, or from a model that has such memories.
    case add(String, file: String)
    case replace(String, file: String)
    /// Takes a bank out that the memories do not read.
    case remove(String)
    /// Makes a bank the one that the bundle's memories read.
    case use(String)
  }

  package let bundle: String
  package let action: Action
  /// Where the changed bundle goes; by default it takes the place of the old one.
  package var output: String?

  package init(bundle: String, action: Action) {
    self.bundle = bundle
    self.action = action
  }

  /// - Throws: `unsupported-feature` for a bundle without memories, `usage` for names that are taken or unknown, and what
  ///   is wrong with a file that does not fit.
  package func run() throws(ModelError) -> BankReport {
    let reader = try BundleReader(path: bundle)
    var contents = try reader.contents(operators: allOperators)
    let memories = BankMemory.all(in: contents.graphs)
    guard !memories.isEmpty else {
      throw ModelError(.unsupportedFeature, "'\(bundle)' has no memory that Maquette knows")
    }
    var banks = contents.banks ?? StoredBanks()
    var report = BankReport((bundle as NSString).lastPathComponent, memories)
    switch action {
    case .list: break
    case .export(let name, let file):
      let entries = try banks.entries(of: name, memories)
      try NumpyArchive.write(BankMemory.arrays(memories, entries), path: file)
      report.said.append("'\(name)' written to \(file)")
    case .add(let name, let file):
      guard StoredBank.isName(name) else {
        throw ModelError(.usage, "'\(name)' is no name: lower-case letters, digits and hyphens")
      }
      guard name != banks.used, !banks.others.contains(where: { $0.name == name }) else {
        throw ModelError(.usage, "there is a bank '\(name)' already; --replace changes it")
      }
      banks.others.append(
        StoredBank(name: name, entries: try BankMemory.entries(memories, from: file)))
      report.said.append("'\(name)' added from \((file as NSString).lastPathComponent)")
    case .replace(let name, let file):
      _ = try banks.entries(of: name, memories)
      let entries = try BankMemory.entries(memories, from: file)
      if name == banks.used {
        try read(entries, in: &contents, &report)
      } else {
        banks.others = banks.others.map {
          $0.name == name ? StoredBank(name: name, entries: entries) : $0
        }
      }
      report.said.append("'\(name)' replaced from \((file as NSString).lastPathComponent)")
    case .remove(let name):
      _ = try banks.entries(of: name, memories)
      guard name != banks.used else {
        throw ModelError(.usage, "the memories read '\(name)'; --use another bank first")
      }
      banks.others.removeAll { $0.name == name }
      report.said.append("'\(name)' removed")
    case .use(let name):
      let entries = try banks.entries(of: name, memories)
      guard name != banks.used else { break }
      let old = StoredBank(name: banks.used, entries: memories.map(\.entry))
      banks.others = banks.others.map { $0.name == name ? old : $0 }
      banks.used = name
      try read(entries, in: &contents, &report)
      report.said.append("the memories read '\(name)'")
    }
    report.name(banks)
    if action.changesTheFile {
      if reader.signer != nil {
        report.said.append("the signature was of the old file and is left out")
      }
      // A bundle with nothing but the bank that it was made with says nothing of banks.
      let isPlain = banks.others.isEmpty && banks.used == StoredBank.trained
      contents.banks = isPlain ? nil : banks
      contents.bankTensors = BankMemory.all(in: contents.graphs).flatMap { [$0.keys, $0.values] }
      try BundleWriter().write(contents, to: output ?? bundle)
    }
    return report
  }

  /// Makes these the constants of the graphs, and leaves out the goldens that were of the old ones.
  private func read(
    _ entries: [StoredBank.Entry], in contents: inout BundleContents, _ report: inout BankReport
  ) throws(ModelError) {
    let changed = Set(entries.map(\.graph))
    let lost = try contents.read(entries)
    if lost > 0 {
      report.said.append(
        "\(lost) goldens with their digests were of the other bank and are left out; verify with --golden"
      )
    }
    if contents.graphs.contains(where: { changed.contains($0.name) && $0.graph.isQuantized }) {
      report.said.append(
        "ranges after the memories were calibrated with the bank that the model was converted with")
    }
  }
}

extension BankRequest.Action {
  fileprivate var changesTheFile: Bool {
    switch self {
    case .list, .export: false
    case .add, .replace, .remove, .use: true
    }
  }
}

extension StoredBanks {
  /// What a bank has for these memories, whose constants are the bank in use.
  ///
  /// - Throws: `usage` for a name that no bank has.
  fileprivate func entries(
    of name: String, _ memories: [BankMemory]
  ) throws(ModelError) -> [StoredBank.Entry] {
    if name == used { return memories.map(\.entry) }
    guard let bank = others.first(where: { $0.name == name }) else {
      let names = ([used] + others.map(\.name)).joined(separator: ", ")
      throw ModelError(.usage, "there is no bank '\(name)'; there are \(names)")
    }
    return bank.entries
  }
}

extension BundleContents {
  /// Makes these the constants of the graphs, and leaves out the goldens that were of others.
  ///
  /// - Returns: how many goldens those are.
  fileprivate mutating func read(_ entries: [StoredBank.Entry]) throws(ModelError) -> Int {
    let changed = Set(entries.map(\.graph))
    graphs = try graphs.map { (named) throws(ModelError) in
      let own = entries.filter { $0.graph == named.name }
      guard !own.isEmpty else { return named }
      return BundleContents.NamedGraph(named.name, try named.graph.reading(own))
    }
    let before = goldens.count
    goldens.removeAll { changed.contains($0.graph) }
    return before - goldens.count
  }

  /// Lets the memories read a bank, as `maquette memory --use` would, but in memory only.
  ///
  /// - Throws: `unsupported-feature` where there are no memories, `usage` for a name that no bank has.
  mutating func read(bank name: String) throws(ModelError) {
    let memories = BankMemory.all(in: graphs)
    guard !memories.isEmpty else {
      throw ModelError(.unsupportedFeature, "the bundle has no memory that Maquette knows")
    }
    let banks = banks ?? StoredBanks()
    let entries = try banks.entries(of: name, memories)
    if name != banks.used { _ = try read(entries) }
  }
}

/// One memory of a bundle.
struct BankMemory {
  let graph: String
  let node: String
  /// What people call it: the module that it came from.
  let title: String
  let heads: Int
  let keys: Tensor
  let values: Tensor

  var entry: StoredBank.Entry {
    StoredBank.Entry(graph: graph, memory: node, keys: keys, values: values)
  }

  static func all(in graphs: [BundleContents.NamedGraph]) -> [BankMemory] {
    var found: [BankMemory] = []
    for named in graphs {
      for node in named.graph.nodes {
        guard let op = node.op as? MemoryRead,
          let keys = node.inputs[1].flatMap({ named.graph.constant($0) }),
          let values = node.inputs[2].flatMap({ named.graph.constant($0) })
        else { continue }
        let own = node.origin.isEmpty ? node.name : node.origin
        found.append(
          BankMemory(
            graph: named.name, node: node.name,
            title: named.name == BundleContents.mainGraph ? own : "\(named.name).\(own)",
            heads: op.heads, keys: keys, values: values))
      }
    }
    return found
  }

  /// Real numbers by the names that an archive has for them.
  static func arrays(
    _ memories: [BankMemory], _ entries: [StoredBank.Entry]
  ) -> [(name: String, tensor: Tensor)] {
    zip(memories, entries).flatMap { memory, entry in
      [
        (name: "\(memory.title).keys", tensor: entry.keys.dequantized()),
        (name: "\(memory.title).values", tensor: entry.values.dequantized()),
      ]
    }
  }

  /// What an archive or a model has for these memories, in their form.
  static func entries(
    _ memories: [BankMemory], from file: String
  ) throws(ModelError) -> [StoredBank.Entry] {
    let given = try file.hasSuffix(".npz") ? archive(file, memories) : model(file, memories)
    var entries: [StoredBank.Entry] = []
    for (memory, pair) in zip(memories, given) {
      let keys = try memory.fitted(pair.keys, as: memory.keys, "keys", axis: 0)
      let values = try memory.fitted(pair.values, as: memory.values, "values", axis: 1)
      entries.append(
        StoredBank.Entry(graph: memory.graph, memory: memory.node, keys: keys, values: values))
    }
    return entries
  }

  private static func archive(
    _ file: String, _ memories: [BankMemory]
  ) throws(ModelError) -> [(keys: Tensor, values: Tensor)] {
    var arrays = Dictionary(
      try NumpyArchive.read(path: file).map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
    func take(_ name: String) throws(ModelError) -> Tensor {
      guard let array = arrays.removeValue(forKey: name) else {
        throw ModelError(.missingInput, "'\(file)' has no array '\(name)'")
      }
      return array
    }
    let pairs = try memories.map { (memory) throws(ModelError) in
      (keys: try take("\(memory.title).keys"), values: try take("\(memory.title).values"))
    }
    guard let rest = arrays.keys.min() else { return pairs }
    throw ModelError(.invalidValue, "'\(file)' has an array '\(rest)' that no memory reads")
  }

  /// Memories of a model in the order of its graph, after the passes that a conversion runs.
  private static func model(
    _ file: String, _ memories: [BankMemory]
  ) throws(ModelError) -> [(keys: Tensor, values: Tensor)] {
    let graphs = try ModelFile(file, goldens: false).parts.map { (part) throws(ModelError) in
      BundleContents.NamedGraph(
        part.name, part.isQuantized ? part.graph : try Pipeline.portable.run(on: part.graph))
    }
    let found = all(in: graphs)
    guard found.count == memories.count else {
      throw ModelError(
        .shapeMismatch, "'\(file)' has \(found.count) memories and the bundle \(memories.count)")
    }
    return found.map { ($0.keys, $0.values) }
  }

  /// Real numbers in the form that the bundle has.
  private func fitted(
    _ given: Tensor, as own: Tensor, _ what: String, axis: Int
  ) throws(ModelError) -> Tensor {
    guard given.element.isFloatingPoint || given.quantization != nil else {
      throw ModelError(.typeMismatch, "\(what) of '\(title)' are \(given.element), not float32")
    }
    guard given.shape == own.shape else {
      throw ModelError(
        .shapeMismatch, "\(what) of '\(title)' are \(given.shape) and not \(own.shape)")
    }
    let real = given.dequantized()
    let values = real.floats()
    guard values.allSatisfy(\.isFinite) else {
      throw ModelError(.invalidValue, "\(what) of '\(title)' have numbers that are infinite or NaN")
    }
    let plain = Tensor(given.shape, values)
    return own.quantization == nil
      ? plain : Quantizer.weights(plain, axis: axis, as: own.element)
  }
}

extension Graph {
  /// The same graph with other keys and values in its memories.
  fileprivate func reading(_ entries: [StoredBank.Entry]) throws(ModelError) -> Graph {
    try rebuilt { (node, operands, new) throws(ModelError) in
      guard let entry = entries.first(where: { $0.memory == node.name }), let keys = node.inputs[1],
        let values = node.inputs[2]
      else { return nil }
      var operands = operands
      operands[1] = new.addConstant(entry.keys, named: self[keys].name)
      operands[2] = new.addConstant(entry.values, named: self[values].name)
      return try new.append(
        node.op, named: node.name, to: operands, origin: node.origin,
        outputNames: node.outputs.map { self[$0].name }, quantizedAs: quantizations(of: node))
    }.withoutDeadCode()
  }
}

/// The memories of a bundle and their banks, and what was done.
package struct BankReport: Report {
  struct Memory: Encodable, Sendable {
    let name: String
    let heads: Int
    let slots: Int
    let keyWidth: Int
    let outputs: Int
    let element: String
  }

  let bundle: String
  let memories: [Memory]
  private(set) var used = ""
  private(set) var banks: [String] = []
  fileprivate(set) var said: [String] = []

  init(_ bundle: String, _ memories: [BankMemory]) {
    self.bundle = bundle
    self.memories = memories.map {
      Memory(
        name: $0.title, heads: $0.heads, slots: $0.keys.shape[0] / $0.heads,
        keyWidth: $0.keys.shape[1], outputs: $0.values.shape[1], element: "\($0.keys.element)")
    }
  }

  mutating func name(_ stored: StoredBanks) {
    used = stored.used
    banks = [stored.used] + stored.others.map(\.name)
  }

  package var text: String {
    var table = TextTable(
      ["memory", "heads", "slots", "key width", "outputs", "type"], numeric: [1, 2, 3, 4])
    for memory in memories {
      table.add([
        memory.name, "\(memory.heads)", "\(memory.slots)", "\(memory.keyWidth)",
        "\(memory.outputs)", memory.element,
      ])
    }
    let names = banks.map { $0 == used ? "\($0) (in use)" : $0 }.joined(separator: ", ")
    return ([bundle] + table.lines + ["banks: \(names)"] + said).joined(separator: "\n")
  }
}
