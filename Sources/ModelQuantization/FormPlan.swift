import ModelIR
import ModelOperators
import TensorCore

/// Which nodes of a float graph run on integers, and why the others do not.
package struct FormPlan {
  /// Nil for a node that runs on integers, else the reason why it stays float.
  private(set) var floatReasons: [FloatReason?]
  private let graph: Graph
  /// Why layers with weights read their operand at 16 bits, by their names.
  private var wide: [String: WideReason]
  /// Values that are added on in float32 (`Q71`).
  private(set) var sums: Set<ValueID> = []
  /// Constants that are stored as int8 although floats read them.
  let tables: ConstantTables

  func isWide(_ node: Node) -> Bool { wideReason(node) != nil }

  /// Why a node reads 16 bits; nil for one that does not.
  func wideReason(_ node: Node) -> WideReason? {
    let isLayer = node.op is any WeightedOperator
    guard isLayer || node.op is MatMul, let x = node.inputs[0] else { return nil }
    if graph.producer(of: x)?.op is Softmax { return .shares }
    return isLayer ? wide[node.name] : nil
  }

  func isInteger(_ node: Int) -> Bool { floatReasons[node] == nil }

  /// - Parameters:
  ///   - ranges: values whose range is known.
  ///   - keptFloat: names of nodes that the caller wants in float.
  ///   - reasons: why, for those of them where the caller says.
  ///   - wide: names of layers with weights that read 16 bits (`Q59`).
  init(
    _ graph: Graph, ranges: [ValueID: ValueRange], keptFloat: Set<String>,
    reasons: [String: FloatReason] = [:], wide: Set<String> = []
  ) {
    self.graph = graph
    self.wide = wide.reduce(into: [:]) { $0[$1] = .asked }
    tables = ConstantTables(graph, keptFloat: keptFloat)
    floatReasons = graph.nodes.map { node in
      keptFloat.contains(node.name)
        ? reasons[node.name] ?? .onRequest : FormPlan.reason(node, graph, ranges)
    }
    settle()
  }

  /// Lets more layers read 16 bits.
  mutating func widen(_ layers: Set<String>, _ reason: WideReason) {
    for layer in layers where wide[layer] == nil { wide[layer] = reason }
    settle()
  }

  /// Lets values be added on in float32.
  mutating func keepFloat(_ values: Set<ValueID>) {
    sums.formUnion(values)
    for (index, node) in graph.nodes.enumerated() where node.op is Add && isInteger(index) {
      guard node.outputs.contains(where: sums.contains) || addsFloats(node) else { continue }
      floatReasons[index] = FloatReason(
        "rounding its sum to 8 bits would add much of the error",
        change: "nothing spent on fewer errors (--wide-share 0)")
    }
    settle()
  }

  /// What a node adds to its sum is kept in float32.
  func addsFloats(_ node: Node) -> Bool {
    node.op is Add
      ? node.inputs.contains { $0.map(sums.contains) ?? false }
      : node.op is any WeightedOperator && node.inputs.count > 3
        && node.inputs[3].map(sums.contains) ?? false
  }

  /// Whether an integer node adds a value to its sum.
  func adds(_ node: Int, _ id: ValueID) -> Bool {
    let (op, inputs) = (graph.nodes[node].op, graph.nodes[node].inputs)
    guard isInteger(node), !isWide(graph.nodes[node]) else { return false }
    return op is Add
      ? inputs.contains(id) : op is any WeightedOperator && inputs.count > 3 && inputs[3] == id
  }

  /// Takes off integers what would gain nothing by them.
  private mutating func settle() {
    var changed = true
    while changed {
      changed = false
      for index in graph.nodes.indices where isInteger(index) {
        if let reason = isolation(index) {
          floatReasons[index] = reason
          changed = true
        }
      }
    }
  }

  /// Why a node cannot run on integers, looking at the node alone.
  private static func reason(
    _ node: Node, _ graph: Graph, _ ranges: [ValueID: ValueRange]
  ) -> FloatReason? {
    let name = type(of: node.op).name
    if !node.op.graphs.isEmpty {
      let inner = node.op.graphs.flatMap(\.graph.withInner).reduce(0) { $0 + $1.nodes.count }
      return FloatReason(
        "\(name) runs \(inner) nodes in graphs of its own, which stay float",
        change: "an export without control flow, such as one of fixed lengths")
    }
    for case let input? in node.inputs {
      guard let constant = graph.constant(input), constant.element == .float32,
        node.op is any IntegerOperator || node.op is any UnaryOperator
      else { continue }
      guard constant.withElements(of: Float.self, { $0.allSatisfy(\.isFinite) }) else {
        return FloatReason(
          "'\(graph[input].name)' has numbers that are infinite or NaN",
          change: "an export of the model without them")
      }
    }
    guard let output = node.outputs.first, graph.type(output).element == .float32 else {
      return FloatReason("\(name) does not make real numbers", change: FloatReason.nothing)
    }
    for operand in FormPlan.dataOperands(node, graph) where ranges[operand] == nil {
      if graph.constant(operand) == nil {
        return .unknownRange(of: graph[operand].name)
      }
    }
    if node.op is MatMul, let reason = productReason(node, graph) { return reason }
    if ranges[output] == nil {
      return .unknownRange(of: graph[output].name)
    }
    if node.op is any WeightedOperator {
      return weightedReason(node, graph)
    }
    if let recurrent = node.op as? any IntegerRecurrentOperator {
      return recurrentReason(node, recurrent, graph)
    }
    if node.op is MemoryRead { return constantReason(node, 1...2, graph) }
    if node.op is any UnaryOperator || node.op is any IntegerOperator {
      return node.outputs.count == 1
        ? nil : FloatReason("\(name) has more than one output", change: FloatReason.nothing)
    }
    return .noIntegerForm(name)
  }

  private static func weightedReason(
    _ node: Node, _ graph: Graph
  ) -> FloatReason? {
    guard let weight = node.inputs[1], let tensor = graph.constant(weight),
      tensor.element == .float32
    else { return .notConstant("its weights are") }
    if node.inputs.count > 2, let bias = node.inputs[2], graph.constant(bias) == nil {
      return .notConstant("its bias is")
    }
    return nil
  }

  /// A product of two activations (`Q14`).
  private static func productReason(_ node: Node, _ graph: Graph) -> FloatReason? {
    for case let input? in node.inputs where graph.constant(input) != nil {
      return FloatReason(
        "one of its operands is a constant that is no weight of a linear layer",
        change: "a constant of two axes on its right, which becomes a weight")
    }
    return nil
  }

  private static func recurrentReason(
    _ node: Node, _ op: any IntegerRecurrentOperator, _ graph: Graph
  ) -> FloatReason? {
    do { try op.checkIntegerForm() } catch {
      return FloatReason(error.message, change: "a model whose gates are those of Q42")
    }
    return constantReason(node, 1...3, graph)
  }

  private static func constantReason(
    _ node: Node, _ operands: ClosedRange<Int>, _ graph: Graph
  ) -> FloatReason? {
    for index in operands where index < node.inputs.count {
      if let input = node.inputs[index], graph.constant(input) == nil {
        return .notConstant("its weights are")
      }
    }
    return nil
  }

  /// Real-valued operands that a node would take as int8.
  static func dataOperands(_ node: Node, _ graph: Graph) -> [ValueID] {
    var result: [ValueID] = []
    // A memory turns its query into a direction before it rounds (`Q61`).
    if node.op is MemoryRead { return result }
    for (index, input) in node.inputs.enumerated() {
      guard let input, graph.type(input).element == .float32 else { continue }
      if node.op is any WeightedOperator, index != 0, index != 3 { continue }
      if node.op is any IntegerRecurrentOperator || node.op is Resize, index != 0 { continue }
      result.append(input)
    }
    return result
  }

  /// What a table gives is no reason to go on in integers: its rows are finer than one scale for all of them.
  private func producedAsInteger(_ id: ValueID) -> Bool {
    graph[id].producer.map {
      let node = graph.nodes[$0]
      return isInteger($0) && !isWide(node) && !tables.isLookup(node)
    } ?? false
  }

  func readers(of id: ValueID) -> [Int] {
    graph.nodes.indices.filter { graph.nodes[$0].inputs.contains(id) }
  }

  /// Some reader takes the value as int8.
  func isWantedAsInteger(_ id: ValueID) -> Bool {
    guard !sums.contains(id) else { return false }
    return readers(of: id).contains { reader in
      guard isInteger(reader) else { return false }
      let node = graph.nodes[reader]
      // What reads 16 bits makes them of the float value; the other operand of a product has eight.
      let operands = FormPlan.dataOperands(node, graph)
      return (isWide(node) ? node.op is MatMul ? Array(operands.dropFirst()) : [] : operands)
        .contains(id)
    }
  }

  /// Nothing reads the value as real numbers; its shape may be read.
  func isReadAsIntegersOnly(_ id: ValueID) -> Bool {
    !graph.outputs.contains { $0.value == id }
      && readers(of: id).allSatisfy { reader in
        let node = graph.nodes[reader]
        return node.op is ShapeOf
          || isInteger(reader) && !isWide(node) && FormPlan.dataOperands(node, graph).contains(id)
      }
  }

  /// Why a node that could run on integers would gain nothing: its neighbours are float.
  private func isolation(_ index: Int) -> FloatReason? {
    let node = graph.nodes[index]
    let operands = FormPlan.dataOperands(node, graph)
    let hasIntegerOperand = operands.contains { producedAsInteger($0) }
    let isWanted = node.outputs.contains { isWantedAsInteger($0) }
    // Smaller weights and cheaper products pay for the conversions around them.
    if node.op is any IntegerRecurrentOperator || node.op is any WeightedOperator
      || node.op is MemoryRead || node.op is MatMul || tables.isLookup(node)
    {
      return nil
    }
    if !isWanted {
      return FloatReason(
        "nothing reads it as integers",
        change: change(of: node.outputs.flatMap(readers), "reads it")
          ?? "nothing: outputs are float")
    }
    if !hasIntegerOperand {
      return FloatReason(
        "none of its operands is made of integers",
        change: change(of: operands.compactMap { graph[$0].producer }, "makes them")
          ?? "nothing: inputs are float")
    }
    return nil
  }

  /// What neighbours would have to be; nil where there are none. Those that run on integers read or write 16 bits, which are
  /// made of floats.
  private func change(of neighbours: [Int], _ role: String) -> String? {
    func names(_ nodes: [Int]) -> String {
      Set(nodes.map { type(of: graph.nodes[$0].op).name }).sorted().joined(separator: ", ")
    }
    let float = neighbours.filter { !isInteger($0) }
    guard float.isEmpty else { return "integers in what \(role): \(names(float))" }
    return neighbours.isEmpty ? nil : "8 bits in place of 16 in what \(role): \(names(neighbours))"
  }
}
