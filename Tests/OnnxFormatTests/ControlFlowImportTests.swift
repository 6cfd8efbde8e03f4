import ModelIR
import ModelOperators
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

/// Graphs within nodes of ONNX models: what they capture, what hides what, what is refused.
@Suite struct ControlFlowImportTests {
  /// A `GraphProto`.
  static func graph(
    nodes: [[UInt8]] = [], initializers: [[UInt8]] = [], inputs: [[UInt8]] = [],
    outputs: [String]
  ) -> [UInt8] {
    ModelBuilder.message { graph in
      for node in nodes { graph.counted(1, node) }
      graph.string(2, "inner")
      for initializer in initializers { graph.counted(5, initializer) }
      for input in inputs { graph.counted(11, input) }
      for output in outputs { graph.message(12) { $0.string(1, output) } }
    }
  }

  static func attribute(_ name: String, graph: [UInt8]) -> [UInt8] {
    ModelBuilder.message { attribute in
      attribute.string(1, name)
      attribute.counted(6, graph)
      attribute.integer(20, 5)
    }
  }

  static func choice(_ yes: [UInt8], _ no: [UInt8], outputs: [String] = ["y"]) -> [UInt8] {
    ModelBuilder.node(
      "If", ["c"], outputs, name: "choice",
      attributes: [attribute("then_branch", graph: yes), attribute("else_branch", graph: no)])
  }

  /// c, x → y, where the nodes make y.
  static func model(_ nodes: [[UInt8]]) -> ModelBuilder {
    var model = ModelBuilder()
    model.inputs = [
      ModelBuilder.port("c", element: 9), ModelBuilder.port("x", [.fixed(2)]),
    ]
    model.initializers = [ModelBuilder.tensor("w", dims: [2], floats: [10, 20])]
    model.outputs = [ModelBuilder.port("y", nil)]
    model.nodes = nodes
    return model
  }

  /// The outputs for c true and false and x = [1, −2], of the model, of it after export, and as planned.
  private func outputs(_ model: ModelBuilder) throws -> [[Float]] {
    let graph = try OnnxReader().graph(bytes: model.bytes)
    try graph.verify()
    let again = try OnnxReader().graph(bytes: try OnnxWriter(opset: 17).bytes(of: graph))
    let x = Tensor(vector: [1, -2] as [Float])
    return try [true, false].map { condition in
      let inputs = [Tensor(scalar: condition), x]
      let expected = try ReferenceExecutor(graph).run(inputs)
      var runner = ModelRunner(graph)
      #expect(try runner.run(inputs) == expected)
      #expect(try ReferenceExecutor(again).run(inputs) == expected)
      return expected[0].floats()
    }
  }

  private func code(_ model: ModelBuilder) -> ModelError.Code? {
    do {
      _ = try OnnxReader().graph(bytes: model.bytes)
      return nil
    } catch { return error.code }
  }

  static let identity = graph(
    nodes: [ModelBuilder.node("Identity", ["x"], ["same"])], outputs: ["same"])

  @Test func capturesAreOperandsAndConstantsAreNot() throws {
    let yes = ControlFlowImportTests.graph(
      nodes: [
        ModelBuilder.node("Add", ["x", "w"], ["sum"]),
        ModelBuilder.node("Mul", ["sum", "h"], ["z"]),
      ], outputs: ["z"])
    let model = ControlFlowImportTests.model([
      ModelBuilder.node("Neg", ["x"], ["h"]),
      ControlFlowImportTests.choice(yes, ControlFlowImportTests.identity),
    ])
    let graph = try OnnxReader().graph(bytes: model.bytes)
    let node = try #require(graph.nodes.last)
    #expect(node.inputs.compactMap { $0.map { graph[$0].name } } == ["c", "x", "h"])
    #expect(graph.withInner[1].inputs.map(\.name) == ["x", "h"])
    #expect(try outputs(model) == [[-11, 36], [1, -2]])
  }

  @Test func nodesAreSortedByWhatTheirGraphsRead() throws {
    let yes = ControlFlowImportTests.graph(
      nodes: [ModelBuilder.node("Neg", ["h"], ["z"])], outputs: ["z"])
    let model = ControlFlowImportTests.model([
      ControlFlowImportTests.choice(yes, ControlFlowImportTests.identity),
      ModelBuilder.node("Abs", ["x"], ["h"]),
    ])
    #expect(try outputs(model) == [[-1, -2], [1, -2]])
  }

  @Test func theInnermostNameIsTheOneThatIsRead() throws {
    // A node and an initializer within the branch hide the values of the same names around it.
    let yes = ControlFlowImportTests.graph(
      nodes: [
        ModelBuilder.node("Neg", ["x"], ["h"]), ModelBuilder.node("Add", ["h", "w"], ["z"]),
      ], initializers: [ModelBuilder.tensor("w", dims: [2], floats: [100, 200])], outputs: ["z"])
    let no = ControlFlowImportTests.graph(
      nodes: [ModelBuilder.node("Add", ["h", "w"], ["z"])], outputs: ["z"])
    let model = ControlFlowImportTests.model([
      ModelBuilder.node("Abs", ["x"], ["h"]), ControlFlowImportTests.choice(yes, no),
    ])
    #expect(try outputs(model) == [[99, 202], [11, 22]])
  }

  @Test func capturesReachThroughGraphs() throws {
    let innermost = ControlFlowImportTests.graph(
      nodes: [ModelBuilder.node("Mul", ["h", "x"], ["p"])], outputs: ["p"])
    let yes = ControlFlowImportTests.graph(
      nodes: [
        ControlFlowImportTests.choice(innermost, ControlFlowImportTests.identity, outputs: ["q"])
      ], outputs: ["q"])
    let model = ControlFlowImportTests.model([
      ModelBuilder.node("Add", ["x", "w"], ["h"]),
      ControlFlowImportTests.choice(yes, ControlFlowImportTests.identity),
    ])
    #expect(try outputs(model) == [[11, -36], [1, -2]])
    let graph = try OnnxReader().graph(bytes: model.bytes)
    #expect(graph.withInner.count == 5)
  }

  @Test func functionsWithinGraphsAndGraphsWithinFunctions() throws {
    var model = ControlFlowImportTests.model([
      ModelBuilder.node("Choose", ["c", "x"], ["y"], name: "call", domain: "local")
    ])
    model.opsets.append(("local", 1))
    let yes = ControlFlowImportTests.graph(
      nodes: [
        ModelBuilder.node(
          "Twice", ["v"], ["z"], domain: "local",
          attributes: [ModelBuilder.attribute("to", reference: "kind", type: 2)])
      ], outputs: ["z"])
    let no = ControlFlowImportTests.graph(
      nodes: [ModelBuilder.node("Neg", ["v"], ["z"])], outputs: ["z"])
    model.functions = [
      ModelBuilder.function(
        "Choose", domain: "local", ["c", "v"], ["r"],
        defaults: [ModelBuilder.attribute("kind", integer: 1)]
      ) { [ControlFlowImportTests.choice(yes, no, outputs: ["r"])] },
      ModelBuilder.function("Twice", domain: "local", ["a"], ["b"], attributes: ["to"]) {
        [
          ModelBuilder.node(
            "Cast", ["a"], ["f"],
            attributes: [ModelBuilder.attribute("to", reference: "to", type: 2)]),
          ModelBuilder.node("Add", ["f", "a"], ["b"]),
        ]
      },
    ]
    #expect(try outputs(model) == [[2, -4], [-1, 2]])
  }

  @Test func functionsDoNotSeeTheNamesAroundTheirCall() throws {
    var model = ControlFlowImportTests.model([
      ControlFlowImportTests.choice(
        ControlFlowImportTests.graph(
          nodes: [ModelBuilder.node("Leak", [], ["z"], domain: "local")], outputs: ["z"]),
        ControlFlowImportTests.identity)
    ])
    model.opsets.append(("local", 1))
    model.functions = [
      ModelBuilder.function("Leak", domain: "local", [], ["b"]) {
        [ModelBuilder.node("Neg", ["x"], ["b"])]
      }
    ]
    #expect(code(model) == .invalidGraph)
  }

  @Test func aBranchThatIsNeverTakenNeedNotFit() throws {
    // x has two elements: no reading of it as [3, 1] exists.
    let no = ControlFlowImportTests.graph(
      nodes: [ModelBuilder.node("Add", ["x", "three"], ["z"])],
      initializers: [ModelBuilder.tensor("three", dims: [3], floats: [1, 2, 3])], outputs: ["z"])
    let model = ControlFlowImportTests.model([
      ControlFlowImportTests.choice(ControlFlowImportTests.identity, no)
    ])
    let graph = try OnnxReader().graph(bytes: model.bytes)
    let x = Tensor(vector: [1, -2] as [Float])
    var runner = ModelRunner(graph)
    #expect(try runner.run([Tensor(scalar: true), x]) == [x])
    #expect(throws: ModelError.self) { try runner.run([Tensor(scalar: false), x]) }
  }

  /// y = x after three iterations of state = state + w, whose graph is changed by `edit`.
  static func loop(
    inputs: [[UInt8]]? = nil, nodes: [[UInt8]]? = nil, outputs: [String] = ["go", "next"]
  ) -> ModelBuilder {
    let body = graph(
      nodes: nodes ?? [
        ModelBuilder.node("Identity", ["more"], ["go"]),
        ModelBuilder.node("Add", ["state", "w"], ["next"]),
      ],
      inputs: inputs ?? [
        ModelBuilder.port("i", element: 7), ModelBuilder.port("more", element: 9),
        ModelBuilder.message { $0.string(1, "state") },
      ], outputs: outputs)
    var model = model([
      ModelBuilder.node(
        "Loop", ["three", "", "x"], ["y"], attributes: [attribute("body", graph: body)])
    ])
    model.initializers.append(
      ModelBuilder.tensor("three", element: 7, dims: [], raw: [3, 0, 0, 0, 0, 0, 0, 0]))
    return model
  }

  @Test func statesTakeTheTypesOfTheirOperands() throws {
    #expect(try outputs(ControlFlowImportTests.loop()) == [[31, 58], [31, 58]])
    let growing = ControlFlowImportTests.loop(nodes: [
      ModelBuilder.node("Identity", ["more"], ["go"]),
      ModelBuilder.node(
        "Concat", ["state", "state"], ["next"],
        attributes: [ModelBuilder.attribute("axis", integer: 0)]),
    ])
    let graph = try OnnxReader().graph(bytes: growing.bytes)
    #expect(graph.type(graph.outputs[0].value).dimensions == [.unknown])
    #expect(try outputs(growing)[0].count == 16)
  }

  @Test func graphsThatAreNoBodiesAreRefused() {
    typealias Tests = ControlFlowImportTests
    let wrong: [(ModelError.Code, ModelBuilder)] = [
      (.invalidGraph, Tests.loop(inputs: [])),
      (.invalidGraph, Tests.loop(outputs: ["go"])),
      (.invalidGraph, Tests.loop(outputs: ["go", "nothing"])),
      (.invalidGraph, Tests.loop(nodes: [ModelBuilder.node("Neg", ["nowhere"], ["go"])])),
      (.typeMismatch, Tests.loop(outputs: ["next", "next"])),
      (.typeMismatch, Tests.loop(outputs: ["go", "go"])),
      (
        .unsupportedOperator,
        Tests.loop(nodes: [ModelBuilder.node("Nonsense", ["state"], ["next"])])
      ),
      (
        .invalidGraph,
        Tests.model([Tests.choice(Tests.identity, Tests.graph(outputs: []))])
      ),
      (
        .invalidValue,
        Tests.model([
          ModelBuilder.node(
            "If", ["c"], ["y"], attributes: [Tests.attribute("then_branch", graph: Tests.identity)])
        ])
      ),
      (
        .unsupportedAttribute,
        Tests.model([
          ModelBuilder.node(
            "Neg", ["x"], ["y"], attributes: [Tests.attribute("body", graph: Tests.identity)])
        ])
      ),
      (
        .malformedInput,
        Tests.model([Tests.choice([0xFF, 0xFF, 0xFF], Tests.identity)])
      ),
    ]
    for (wanted, model) in wrong { #expect(code(model) == wanted) }
  }

  @Test func sequencesAndOptionalsWithinAModel() throws {
    typealias Tests = ControlFlowImportTests
    let yes = Tests.graph(
      nodes: [ModelBuilder.node("SequenceInsert", ["both", "w"], ["longer"])], outputs: ["longer"])
    let no = Tests.graph(
      nodes: [ModelBuilder.node("Identity", ["both"], ["same"])], outputs: ["same"])
    var model = Tests.model([
      ModelBuilder.node("Optional", ["x"], ["o"]),
      ModelBuilder.node("OptionalGetElement", ["o"], ["v"]),
      ModelBuilder.node("SequenceConstruct", ["v", "w"], ["both"]),
      Tests.choice(yes, no, outputs: ["list"]),
      ModelBuilder.node(
        "ConcatFromSequence", ["list"], ["y"],
        attributes: [ModelBuilder.attribute("axis", integer: 0)]),
    ])
    #expect(try outputs(model) == [[1, -2, 10, 20, 10, 20], [1, -2, 10, 20]])
    model.outputs = [ModelBuilder.port("list", nil)]
    #expect(code(model) == .unsupportedFeature)
    let empty = Tests.model([ModelBuilder.node("Optional", [], ["y"])])
    #expect(code(empty) == .unsupportedFeature)
    let present = Tests.model([
      ModelBuilder.node("OptionalHasElement", ["x"], ["has"]),
      ModelBuilder.node("OptionalHasElement", [], ["none"]),
      ModelBuilder.node("Or", ["has", "none"], ["y"]),
    ])
    let graph = try OnnxReader().graph(bytes: present.bytes)
    let x = Tensor(vector: [1, -2] as [Float])
    #expect(
      try ReferenceExecutor(graph).run([Tensor(scalar: false), x]) == [Tensor(scalar: true)])
  }

  @Test func graphsWithinGraphsMeetTheLimit() {
    var inner = ControlFlowImportTests.identity
    for _ in 0..<Graph.maximumDepth {
      inner = ControlFlowImportTests.graph(
        nodes: [
          ControlFlowImportTests.choice(
            inner, ControlFlowImportTests.identity, outputs: ["deep"])
        ], outputs: ["deep"])
    }
    let model = ControlFlowImportTests.model([
      ControlFlowImportTests.choice(inner, ControlFlowImportTests.identity)
    ])
    #expect(code(model) == .limitExceeded)
  }

  @Test func nodesOfInnerGraphsCount() {
    let nodes = (0..<30).map { ModelBuilder.node("Neg", ["x"], ["v\($0)"]) }
    let branch = ControlFlowImportTests.graph(nodes: nodes, outputs: ["v0"])
    var limits = ImportLimits()
    limits.nodes = 40
    let bytes = ControlFlowImportTests.model([
      ControlFlowImportTests.choice(branch, branch)
    ]).bytes
    let error = #expect(throws: ModelError.self) {
      try OnnxReader(limits: limits).graph(bytes: bytes)
    }
    #expect(error?.code == .limitExceeded)
  }
}
