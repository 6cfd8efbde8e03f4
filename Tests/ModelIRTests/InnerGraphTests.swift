import ModelIR
import TensorCore
import Testing

/// Holds one graph and gives what it gives.
private struct Call: GraphOperator {
  static let name = "Call"
  static let fields = [Field("body", \Call.body)]
  var body = Graph()
  var formalInputs: Int { 0 }

  func formalTypes(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] { [] }
  func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    let symbols = try bind(body, formals: [], captures: inputs.all())
    return body.outputs.map { body.type($0.value).replacing(symbols) }
  }
  func run(
    _ inputs: Operands<Tensor>, outputs: [TensorType],
    body run: (_ graph: Int, _ inputs: [Tensor]) throws(ModelError) -> [Tensor]
  ) throws(ModelError) -> [Tensor] {
    try run(0, inputs.all())
  }
}

@Suite struct InnerGraphTests {
  private static let operators: [any Operator.Type] = [Call.self, EveryField.self]

  /// Calls within calls.
  private static func nested(_ depth: Int, _ indent: String = "") -> String {
    guard depth > 0 else { return "" }
    let inner = nested(depth - 1, indent + "  ")
    return """
      \(indent)%y: float32[N] = Call(%x) {body=graph {
      \(indent)  input %x: float32[N]
      \(inner.isEmpty ? "\(indent)  %y: float32[N] = EveryField(%x)\n" : inner + "\n")\
      \(indent)  output y = %y
      \(indent)}}
      """
  }

  private static func text(_ depth: Int) -> String {
    "graph 2\ninput %x: float32[N]\n\(nested(depth))\noutput y = %y\n"
  }

  @Test(arguments: [1, 2, Graph.maximumDepth]) func graphsWithinGraphsReadBack(depth: Int) throws {
    let text = InnerGraphTests.text(depth)
    let graph = try GraphText.parse(text, operators: InnerGraphTests.operators)
    #expect(GraphText.print(graph) == text)
    #expect(graph.withInner.count == depth + 1)
    try graph.verify()
    let x = Tensor(vector: [1, 2] as [Float])
    #expect(try graph.evaluate([x]) == [x])
  }

  @Test func labelsOfAGraphAreItsOwn() throws {
    let text = """
      graph 2
      input %x: float32[]
      %y: float32[] = Call(%x) {body=graph {
        input %other: float32[]
        metadata note = "inner"
        constant %x: float32[] = [1.0]
        %2 "/a/b": float32[] = EveryField(%other) {words=["\\n{", "}"]} "n" from "here"
        output "x y" = %2
      }} "call"
      output y = %y
      """
    let graph = try GraphText.parse(text, operators: InnerGraphTests.operators)
    #expect(graph.withInner[1].metadata == ["note": "inner"])
    let again = try GraphText.parse(
      GraphText.print(graph), operators: InnerGraphTests.operators)
    #expect(again == graph)
    #expect(graph.nodes[0].op.isEqual(to: again.nodes[0].op))
    #expect(GraphText.print(graph, .elided(limit: 4)).contains("output \"x y\""))
  }

  @Test func tensorsOfInnerGraphsAreNumbered() throws {
    let tensor = Tensor(vector: [1, 2] as [Float])
    var body = Graph()
    try body.addOutput("w", body.addConstant(tensor, named: "w"))
    var graph = Graph()
    try graph.addOutput("y", graph.appendOne(Call(body: body), named: "y", to: []))
    var numbers = TensorNumbers()
    numbers[tensor] = 3
    let text = GraphText.print(graph, .numbered(numbers))
    #expect(text.contains("constant %w: float32[2] = #3\n"))
    let read = try GraphText.parse(
      text, operators: InnerGraphTests.operators, tensors: [nil, nil, nil, tensor])
    #expect(read == graph)
  }

  @Test(arguments: [
    (ModelError.Code.limitExceeded, text(Graph.maximumDepth + 1)),
    (.malformedInput, text(1).replacing("graph 2", with: "graph 1")),
    (.malformedInput, text(1).replacing("\n}}", with: "\n}")),
    (.malformedInput, text(1).replacing("\n}}\noutput y = %y", with: "")),
    (.malformedInput, text(1).replacing("{body=graph {\n", with: "{body=graph { ")),
    (.malformedInput, text(1).replacing("{body=graph {\n", with: "{body=graph\n")),
    (.invalidGraph, text(1).replacing("EveryField(%x)", with: "EveryField(%outer)")),
    (.invalidGraph, text(1).replacing("Call(%x)", with: "Call()")),
    (.invalidGraph, text(1).replacing("  output y = %y", with: "  output y = %z")),
    (.typeMismatch, text(1).replacing("input %x: float32[N]\n%y", with: "input %x: bool[N]\n%y")),
    (
      .unsupportedAttribute,
      text(1).replacing("EveryField(%x)", with: "EveryField(%x) {count=graph {\n}}")
    ),
    (.unsupportedAttribute, "graph 2\ninput %x: bool[]\n%y = Call(%x) {body=3}"),
  ]) func hostileGraphsAreRefused(wanted: ModelError.Code, text: String) {
    do {
      _ = try GraphText.parse(text, operators: InnerGraphTests.operators)
      Issue.record("was read: \(text)")
    } catch { #expect(error.code == wanted, "\(error)") }
  }

  @Test func passesReachInnerGraphs() throws {
    struct Renaming: Rewrite {
      static let name = "renaming"
      func replacement(
        for node: Node, at site: inout RewriteSite
      ) throws(ModelError) -> [ValueID]? {
        guard var op = node.op as? EveryField, op.label.isEmpty else { return nil }
        op.label = "seen"
        return try site.replace(node, by: op, to: site.operands)
      }
    }
    let graph = try GraphText.parse(
      InnerGraphTests.text(3), operators: InnerGraphTests.operators)
    var sites: [String] = []
    let changed = try Pipeline([Rewriting(Renaming())]).run(on: graph) {
      (step, _) throws(ModelError) in sites += step.sites
    }
    #expect(sites == ["y/y/y/y"])
    let innermost = try #require(changed.withInner.last?.nodes.first?.op as? EveryField)
    #expect(innermost.label == "seen")
    let stopped = try Pipeline([Rewriting(Renaming())]).run(on: graph, stopAfter: 0)
    #expect(stopped == graph)
  }

  @Test func graphsAreComparedDeeply() throws {
    let a = try GraphText.parse(InnerGraphTests.text(2), operators: InnerGraphTests.operators)
    let b = try GraphText.parse(
      InnerGraphTests.text(2).replacing("EveryField(%x)", with: "EveryField(%x) {flag=true}"),
      operators: InnerGraphTests.operators)
    #expect(a != b && !a.nodes[0].op.isEqual(to: b.nodes[0].op))
  }
}
