import ModelIR
import TensorCore

/// The names that nodes see: those of the model's graph, of a graph within a node, or of one call of a
/// function.
struct ImportScope {
  var values: [String: ValueID] = [:]
  var opsets: [String: Int] = [:]
  /// Goes before the names of everything that a function's body makes.
  var prefix = ""
  /// Names that values have outside of the function.
  var outerNames: [String: String] = [:]
  /// Attributes of the call.
  var attributes: [String: OnnxAttribute.Content] = [:]
  /// Inputs that the call leaves out: empty names in the body.
  var absent: Set<String> = []
  var parameters: Set<String> = []
  var depth = 0
  /// Whether names of the graph around this one are seen where this one has none of that name: in graphs
  /// within nodes they are, in functions they are not.
  var seesAround = false
}

/// What a name stands for.
enum ImportedName {
  case value(ValueID)
  /// An operand that is left out.
  case absent
  case unknown
}

/// A graph while it is built, and what it captures of the graph around it.
final class ImportLevel {
  var graph = Graph()
  /// Values of the graph around this one, in the order of the inputs that stand for them.
  private(set) var captures: [ValueID] = []
  private let around: ImportLevel?
  /// The names around the node that holds this graph.
  private let outer: ImportScope
  /// Leaves the extents of captures open.
  private let isOpen: Bool
  private var known: [ValueID: ValueID] = [:]

  init() {
    around = nil
    outer = ImportScope()
    isOpen = false
  }

  init(within around: ImportLevel, scope: ImportScope, isOpen: Bool) {
    self.around = around
    outer = scope
    self.isOpen = isOpen
  }

  /// The value of a name: the innermost one that has it, captured by every graph in between.
  func resolve(_ name: String, in scope: ImportScope) throws(ModelError) -> ImportedName {
    if name.isEmpty || scope.absent.contains(name) { return .absent }
    if let id = scope.values[name] { return .value(id) }
    guard scope.seesAround, let around else { return .unknown }
    guard case .value(let id) = try around.resolve(name, in: outer) else {
      return try around.resolve(name, in: outer)
    }
    return .value(try capture(id, of: around.graph))
  }

  /// What stands for a value of the graph around this one: constants as they are, others as inputs.
  private func capture(_ id: ValueID, of source: Graph) throws(ModelError) -> ValueID {
    if let own = known[id] { return own }
    let made: ValueID
    if let constant = source.constant(id) {
      made = graph.addConstant(constant, named: source[id].name)
    } else {
      var name = source[id].name
      while graph.inputs.contains(where: { $0.name == name }) { name += ".outer" }
      let type = source.type(id).logical
      made = try graph.addInput(name, isOpen ? type.with(dimensions: nil) : type)
      captures.append(id)
    }
    known[id] = made
    return made
  }
}

extension OnnxGraph {
  /// Inputs that no initializer stands for.
  var formals: [OnnxPort] {
    inputs.filter { port in !initializers.contains { $0.name == port.name } }
  }

  /// This graph and those that its nodes hold.
  var withInner: [OnnxGraph] {
    [self] + nodes.flatMap { $0.graphs.flatMap(\.graph.withInner) }
  }
}
