import ModelAdaptation
import ModelBundle
import ModelIR
import ModelOperators
import TensorCore

/// What adaptations of one bundle changed, as a small file that names the bundle by its digest (`B43`…`B45`).
struct AdaptedTensors {
  static let record = "adapted"
  /// What stands between the names of a state, a part and a tensor.
  static let separator = "/"

  /// One adaptation.
  struct State: Codable {
    let name: String
    let preset: String
    let steps: Int
    let rate: Double
    /// Before each step.
    let losses: [Double]
    /// Names of parts and tensors.
    let tensors: [Name]

    struct Name: Codable, Hashable {
      let part: String
      let tensor: String
    }
  }

  private struct Record: Codable {
    let base: String
    let states: [State]
  }

  /// The SHA-256 of the bundle's file.
  let base: String
  private(set) var states: [State] = []
  private var tensors: [String: Tensor] = [:]

  init(base: String) { self.base = base }

  /// - Throws: `malformed-input` for a file that is no such thing.
  init(contentsOf path: String) throws(ModelError) {
    let contents = try BundleReader(path: path).contents(operators: allOperators)
    guard let json = contents.records[Self.record], contents.manifest.profile == Self.record,
      contents.graphs.count == 1, let graph = contents.graph()
    else { throw ModelError(.malformedInput, "B43: '\(path)' holds no adapted tensors") }
    let record = try during("B43: the record '\(Self.record)'") { () throws(ModelError) in
      try json.decoded(as: Record.self)
    }
    (base, states) = (record.base, record.states)
    guard Digest(base) != nil, Set(states.map(\.name)).count == states.count, !states.isEmpty,
      states.allSatisfy({ Self.isName($0.name) })
    else {
      throw ModelError(.malformedInput, "B43: states need names of their own and a base")
    }
    guard graph.nodes.isEmpty, graph.inputs.isEmpty else {
      throw ModelError(.malformedInput, "B44: adapted tensors are not computed")
    }
    for port in graph.outputs {
      guard let tensor = graph.constant(port.value), tensor.element == .float32 else {
        throw ModelError(.malformedInput, "B44: '\(port.name)' is no float32 constant")
      }
      tensors[port.name] = tensor
    }
    let named = states.flatMap { state in state.tensors.map { Self.key(state.name, $0) } }
    guard Set(named) == Set(tensors.keys), named.count == tensors.count else {
      throw ModelError(.malformedInput, "B44: the outputs are not the tensors of the states")
    }
  }

  /// Whether a state can be called so.
  private static func isName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 64 && !name.contains(separator)
  }

  private static func key(_ state: String, _ name: State.Name) -> String {
    [state, name.part, name.tensor].joined(separator: separator)
  }

  /// Adds a state after the others, in the place of one of the same name.
  mutating func add(_ state: State, _ values: [Tensor]) throws(ModelError) {
    guard Self.isName(state.name) else {
      throw ModelError(.usage, "'\(state.name)' is no name of a state")
    }
    try? remove(state.name)
    states.append(state)
    for (name, value) in zip(state.tensors, values) { tensors[Self.key(state.name, name)] = value }
  }

  /// - Throws: `usage` where there is no state of the name.
  mutating func remove(_ name: String) throws(ModelError) {
    guard let index = states.firstIndex(where: { $0.name == name }) else {
      throw ModelError(
        .usage,
        "there is no state '\(name)'; there are \(states.map(\.name).joined(separator: ", "))"
      )
    }
    for tensor in states[index].tensors { tensors[Self.key(name, tensor)] = nil }
    states.remove(at: index)
  }

  /// The state of a name, or the last one, with its tensors.
  func state(
    _ name: String?
  ) throws(ModelError) -> (state: State, tensors: [(name: State.Name, value: Tensor)]) {
    guard let state = name == nil ? states.last : states.first(where: { $0.name == name }) else {
      throw ModelError(
        .usage,
        "there is no state '\(name ?? "")'; there are \(states.map(\.name).joined(separator: ", "))"
      )
    }
    return (
      state,
      state.tensors.compactMap { name in tensors[Self.key(state.name, name)].map { (name, $0) } }
    )
  }

  /// Writes the file whole or not at all.
  func write(to path: String) throws(ModelError) {
    var graph = Graph()
    for state in states {
      for name in state.tensors {
        let key = Self.key(state.name, name)
        guard let tensor = tensors[key] else { continue }
        try graph.addOutput(key, graph.addConstant(tensor, named: key))
      }
    }
    let contents = BundleContents(
      graph,
      manifest: BundleManifest(tool: "maquette \(ToolVersion.current)", profile: Self.record),
      records: [Self.record: try JSON(encoding: Record(base: base, states: states))])
    try BundleWriter().write(contents, to: path)
  }
}

extension ModelFile {
  /// The model with adapted tensors in place of its own: float32 forms of parts take the place of int8 ones.
  ///
  /// - Throws: `integrity-failure` for tensors of another bundle.
  func applying(_ adapted: AdaptedTensors, state: String?) throws(ModelError) -> ModelFile {
    guard let adaptation else {
      throw ModelError(.unsupportedFeature, "the bundle declares nothing that may adapt")
    }
    guard try Digest(of: FileAccess.read(path)).description == adapted.base else {
      throw ModelError(
        .integrityFailure, "B45: the adapted tensors are of another bundle, \(adapted.base)")
    }
    let chosen = try adapted.state(state).tensors
    var made = parts
    for part in Set(chosen.map(\.name.part)).sorted() {
      guard let index = parts.firstIndex(where: { $0.name == part }) else {
        throw ModelError(.malformedInput, "B44: there is no part '\(part)'")
      }
      let own = Dictionary(
        chosen.filter { $0.name.part == part }.map { ($0.name.tensor, $0.value) },
        uniquingKeysWith: { $1 })
      made[index] = made[index].with(graph: try parts[index].graph.adapted(own))
    }
    for form in adaptation.floatForms where chosen.contains(where: { $0.name.part == form.float }) {
      guard let index = made.firstIndex(where: { $0.name == form.part }),
        let float = made.first(where: { $0.name == form.float })
      else { continue }
      made[index] = made[index].with(graph: float.graph)
    }
    return with(parts: made)
  }
}

extension Graph {
  /// The graph with constants of these names, or integer layers with these scales and biases.
  fileprivate func adapted(_ tensors: [String: Tensor]) throws(ModelError) -> Graph {
    var changed: [ValueID: Tensor] = [:]
    for (index, value) in values.enumerated() {
      guard let own = value.fact.constant, let tensor = tensors[value.name] else { continue }
      guard own.shape == tensor.shape, own.element == .float32 else {
        throw ModelError(
          .shapeMismatch, "B44: '\(value.name)' is \(own.type), not \(tensor.type)")
      }
      changed[id(at: index)] = tensor
    }
    if changed.count == tensors.count { return try replacing(changed) }
    return try withLightParameters(tensors)
  }
}
