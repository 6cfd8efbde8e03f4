import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// If, Loop and Scan, on the reference and as planned.
@Suite struct ControlFlowTests {
  static func graph(_ text: String) throws -> Graph {
    let graph = try GraphText.parse("graph 2\n" + text, operators: allOperators)
    #expect(try GraphText.parse(GraphText.print(graph), operators: allOperators) == graph)
    try graph.verify()
    return graph
  }

  /// The outputs, which both executors must give.
  static func run(_ graph: Graph, _ inputs: [Tensor]) throws -> [Tensor] {
    let reference = try ReferenceExecutor(graph).run(inputs)
    var runner = ModelRunner(graph)
    for _ in 0..<2 { #expect(try runner.run(inputs) == reference) }
    return reference
  }

  private func vector(_ values: Float...) -> Tensor { Tensor(vector: values) }

  // MARK: - If

  static let choice = """
    input %c: bool[]
    input %x: float32[N]
    %y: float32[N] = If(%c, %x) {then=graph {
      input %x: float32[N]
      %y: float32[N] = Add(%x, %x)
      output y = %y
    }, else=graph {
      input %x: float32[N]
      %y: float32[N] = Mul(%x, %x)
      output y = %y
    }}
    output y = %y
    """

  @Test func ifTakesTheBranchThatItsConditionChooses() throws {
    let graph = try ControlFlowTests.graph(ControlFlowTests.choice)
    let x = vector(3, 4, 5)
    #expect(try ControlFlowTests.run(graph, [Tensor(scalar: true), x]) == [vector(6, 8, 10)])
    #expect(try ControlFlowTests.run(graph, [Tensor(scalar: false), x]) == [vector(9, 16, 25)])
    var runner = ModelRunner(graph)
    #expect(
      try runner.plan([Tensor(scalar: true), x]) != nil, "the shape is that of either branch")
  }

  @Test func branchesMayGiveDifferentShapes() throws {
    let graph = try ControlFlowTests.graph(
      """
      input %c: bool[1]
      input %x: float32[2×3]
      %y: float32[?×3], %z: float32[…] = If(%c, %x) {then=graph {
        input %x: float32[2×3]
        %two: float32[4×3] = Concat(%x, %x)
        output y = %two
        output z = %x
      }, else=graph {
        input %x: float32[2×3]
        constant %axes: int64[1] = [1]
        %sum: float32[2] = ReduceSum(%x, %axes) {keepdims=false}
        output y = %x
        output z = %sum
      }}
      output y = %y
      output z = %z
      """)
    let x = counting(2, 3)
    let yes = try ControlFlowTests.run(graph, [Tensor(vector: [true]), x])
    #expect(yes.map(\.shape.dimensions) == [[4, 3], [2, 3]])
    let no = try ControlFlowTests.run(graph, [Tensor(vector: [false]), x])
    #expect(no == [x, vector(3, 12)])
  }

  @Test func ifRefusesWhatItsClausesSay() throws {
    let fact = Fact(TensorType(.bool, []))
    var branch = Graph()
    try branch.addOutput("y", branch.addConstant(vector(1), named: "y"))
    var other = Graph()
    try other.addOutput("y", other.addConstant(integers(1), named: "y"))
    var reading = Graph()
    try reading.addOutput("y", reading.addInput("x", TensorType(.float32, [2])))
    #expect(throws: Never.self) { try If(then: branch, else: branch).infer(Operands([fact])) }
    expectRejection("IF1") { () throws(ModelError) in
      _ = try If(then: branch, else: branch).infer(Operands([Fact(TensorType(.int64, []))]))
    }
    expectRejection("IF1") { () throws(ModelError) in
      _ = try If(then: branch, else: branch).infer(Operands([Fact(TensorType(.bool, [2]))]))
    }
    expectRejection("IF2") { () throws(ModelError) in
      _ = try If(then: branch, else: Graph()).infer(Operands([fact]))
    }
    for (operands, wanted) in [
      ([fact], ModelError.Code.invalidGraph), ([fact, fact], .typeMismatch),
      ([fact, Fact(TensorType(.float32, [3]))], .shapeMismatch),
    ] {
      #expect(code { _ = try If(then: reading, else: reading).infer(Operands(operands)) } == wanted)
    }
    #expect(code { _ = try If(then: branch, else: other).infer(Operands([fact])) } == .typeMismatch)
  }

  // MARK: - Loop

  static let powers = """
    input %m: int64[]
    input %go: bool[]
    input %x: float32[2]
    input %limit: float32[]
    %last: float32[2], %all: float32[?×2] = Loop(%m, %go, %x, %limit) {states=1, body=graph {
      input %i: int64[]
      input %go: bool[]
      input %x: float32[2]
      input %limit: float32[]
      %next: float32[2] = Add(%x, %x)
      %sum: float32[1] = ReduceSum(%next)
      %more: bool[1] = Less(%sum, %limit)
      output more = %more
      output next = %next
      output slice = %x
    }}
    output last = %last
    output all = %all
    """

  @Test func loopsEndWithTheirCountOrTheirCondition() throws {
    let graph = try ControlFlowTests.graph(ControlFlowTests.powers)
    func run(_ count: Int64, _ go: Bool, _ limit: Float) throws -> [Tensor] {
      try ControlFlowTests.run(
        graph, [Tensor(scalar: count), Tensor(scalar: go), vector(1, 3), Tensor(scalar: limit)])
    }
    #expect(try run(2, true, 1000) == [vector(4, 12), floats(2, 2, values: [1, 3, 2, 6])])
    #expect(try run(99, true, 20) == [vector(8, 24), floats(3, 2, values: [1, 3, 2, 6, 4, 12])])
    #expect(try run(0, true, 20) == [vector(1, 3), floats(0, 2, values: [])])
    #expect(try run(5, false, 20) == [vector(1, 3), floats(0, 2, values: [])])
  }

  @Test func statesMayGrow() throws {
    let graph = try ControlFlowTests.graph(
      """
      input %m: int64[]
      input %x: float32[1]
      %grown: float32[?], %sizes: int64[?×1] = Loop(%m, _, %x) {states=1, body=graph {
        input %i: int64[]
        input %go: bool[]
        input %x: float32[?]
        %next: float32[?] = Concat(%x, %x)
        %size: int64[1] = Shape(%next)
        output go = %go
        output next = %next
        output size = %size
      }}
      output grown = %grown
      output sizes = %sizes
      """)
    let made = try ControlFlowTests.run(graph, [Tensor(scalar: Int64(3)), vector(7)])
    #expect(made[0].shape.dimensions == [8])
    #expect(made[1] == Tensor(try Shape([3, 1]), [Int64(2), 4, 8]))
  }

  @Test func aKnownCountIsAnExtent() throws {
    let graph = try ControlFlowTests.graph(
      """
      input %x: float32[2]
      constant %m: int64[] = [4]
      %last: float32[2], %squares: float32[4×2] = Loop(%m, _, %x) {states=1, body=graph {
        input %i: int64[]
        input %go: bool[]
        input %x: float32[2]
        %f: float32[] = Cast(%i) {to="float32"}
        %next: float32[2] = Add(%x, %f)
        output go = %go
        output next = %next
        output square = %next
      }}
      output last = %last
      output squares = %squares
      """)
    let made = try ControlFlowTests.run(graph, [vector(0, 10)])
    #expect(made == [vector(6, 16), floats(4, 2, values: [0, 10, 1, 11, 3, 13, 6, 16])])
    var runner = ModelRunner(graph)
    #expect(try runner.plan([vector(0, 10)]) != nil)
  }

  @Test func loopRefusesWhatItsClausesSay() throws {
    func rejected(_ edit: (String) -> String) -> String? {
      do {
        _ = try GraphText.parse(
          "graph 2\n" + edit(ControlFlowTests.powers), operators: allOperators)
        return nil
      } catch {
        return error.description
      }
    }
    func expect(_ clause: String, _ old: String, _ new: String) {
      let message = rejected { $0.replacing(old, with: new) }
      #expect(message?.contains(clause) == true, "\(clause): \(message ?? "was read")")
    }
    #expect(rejected { $0 } == nil)
    expect("LP1", "states=1", "states=9")
    expect("LP1", "states=1", "states=-1")
    expect("LP1", "Loop(%m, %go, %x, %limit)", "Loop(%m, %go, %x)")
    expect("LP2", "input %m: int64[]", "input %m: float32[]")
    expect("LP2", "input %go: bool[]", "input %go: bool[2]")
    expect("LP2", "output more = %more", "output more = %sum")
    expect("LP3", "input %limit: float32[]\n%last", "input %limit: int64[]\n%last")
    expect("LP4", "output next = %next", "output next = %sum")
    expect("LP4", "output next = %next", "output next = %i")
  }

  @Test(arguments: [true, false]) func moreIterationsThanARunMayMakeAreRefusedAtOnce(
    isKnown: Bool
  ) throws {
    let text = """
      \(isKnown ? "constant %m: int64[] = [9223372036854775807]" : "input %m: int64[]")
      input %x: float32[2]
      %last = Loop(%m, _, %x) {states=1, body=graph {
        input %i: int64[]
        input %go: bool[]
        input %x: float32[2]
        %next: float32[2] = Add(%x, %x)
        output go = %go
        output next = %next
      }}
      output last = %last
      """
    #expect(
      code {
        let graph = try GraphText.parse("graph 2\n" + text, operators: allOperators)
        let inputs = (isKnown ? [] : [Tensor(scalar: Int64.max)]) + [vector(1, 1)]
        var runner = ModelRunner(graph)
        _ = try runner.run(inputs)
      } == .limitExceeded)
  }

  @Test func slicesOfALoopHaveOneShape() throws {
    let graph = try ControlFlowTests.graph(
      """
      input %m: int64[]
      input %x: float32[1]
      %grown: float32[?], %all: float32[?×?] = Loop(%m, _, %x) {states=1, body=graph {
        input %i: int64[]
        input %go: bool[]
        input %x: float32[?]
        %next: float32[?] = Concat(%x, %x)
        output go = %go
        output next = %next
        output slice = %next
      }}
      output grown = %grown
      output all = %all
      """)
    let failed = code {
      _ = try ReferenceExecutor(graph).run([Tensor(scalar: Int64(2)), vector(1)])
    }
    #expect(failed == .shapeMismatch)
  }

  // MARK: - Scan

  static func scan(_ attributes: String, _ all: String = "float32[3×2]") -> String {
    """
    input %s: float32[2]
    input %x: float32[3×2]
    input %y: float32[2×3]
    %last: float32[2], %all: \(all) = Scan(%s, %x, %y) {states=1, scanned=2, \(attributes)body=graph {
      input %s: float32[2]
      input %x: float32[2]
      input %y: float32[2]
      %sum: float32[2] = Add(%s, %x)
      %next: float32[2] = Add(%sum, %y)
      output next = %next
      output slice = %x
    }}
    output last = %last
    output all = %all
    """
  }

  @Test func scansFollowTheirAxesAndDirections() throws {
    let inputs = [
      vector(100, 200), floats(3, 2, values: [1, 2, 3, 4, 5, 6]),
      floats(2, 3, values: [10, 20, 30, 40, 50, 60]),
    ]
    let forwards = try ControlFlowTests.graph(ControlFlowTests.scan("inputAxes=[0, 1], "))
    #expect(
      try ControlFlowTests.run(forwards, inputs) == [vector(169, 362), inputs[1]])
    let backwards = try ControlFlowTests.graph(
      ControlFlowTests.scan(
        "inputAxes=[0, 1], inputDirections=[1, 0], outputAxes=[-1], ", "float32[2×3]"))
    #expect(
      try ControlFlowTests.run(backwards, inputs)
        == [vector(169, 362), floats(2, 3, values: [5, 3, 1, 6, 4, 2])])
    let reversed = try ControlFlowTests.graph(
      ControlFlowTests.scan(
        "inputAxes=[0, 1], inputDirections=[1, 0], outputDirections=[1], "))
    #expect(try ControlFlowTests.run(reversed, inputs)[1] == inputs[1])
  }

  @Test func scansOfNothingKeepTheirStates() throws {
    let graph = try ControlFlowTests.graph(
      ControlFlowTests.scan("inputAxes=[0, 1], ").replacing("3×2", with: "T×2")
        .replacing("2×3", with: "2×T"))
    let made = try ControlFlowTests.run(
      graph, [vector(1, 2), floats(0, 2, values: []), floats(2, 0, values: [])])
    #expect(made == [vector(1, 2), floats(0, 2, values: [])])
  }

  @Test func scanRefusesWhatItsClausesSay() throws {
    let good = ControlFlowTests.scan("inputAxes=[0, 1], ")
    func expect(_ clause: String, _ old: String, _ new: String) {
      let text = good.replacing(old, with: new)
      do {
        _ = try GraphText.parse("graph 2\n" + text, operators: allOperators)
        Issue.record("\(clause): was read")
      } catch {
        #expect(error.description.contains(clause), "\(error)")
      }
    }
    expect("SC1", "scanned=2", "scanned=0")
    expect("SC1", "states=1, scanned=2", "states=4, scanned=2")
    expect("SC2", "inputAxes=[0, 1]", "inputAxes=[0]")
    expect("SC2", "inputAxes=[0, 1]", "inputAxes=[0, 1], inputDirections=[2, 0]")
    expect("SC3", "input %y: float32[2×3]", "input %y: float32[2×4]")
    expect("SC3", "input %y: float32[2×3]", "input %y: float32[]")
    expect("SC4", "input %x: float32[3×2]", "input %x: float32[3×5]")
    expect("SC5", "output next = %next", "constant %n: float32[3] = fill 1\n  output next = %n")
  }
}
