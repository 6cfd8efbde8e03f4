import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// Sequences of tensors, on the reference and as planned.
@Suite struct SequenceTests {
  private func vector(_ values: Float...) -> Tensor { Tensor(vector: values) }

  @Test func sequencesAreMadeChangedAndRead() throws {
    let graph = try ControlFlowTests.graph(
      """
      input %a: float32[2]
      input %b: float32[3]
      input %c: float32[1]
      input %place: int64[]
      constant %last: int64[] = [-1]
      %two: sequence float32[?] = SequenceConstruct(%a, %b)
      %three: sequence float32[?] = SequenceInsert(%two, %c, %place)
      %four: sequence float32[?] = SequenceInsert(%three, %c)
      %some: sequence float32[?] = SequenceErase(%four, %place)
      %fewer: sequence float32[?] = SequenceErase(%some)
      %count: int64[] = SequenceLength(%four)
      %end: float32[?] = SequenceAt(%fewer, %last)
      %all: float32[?] = ConcatFromSequence(%three)
      output count = %count
      output end = %end
      output all = %all
      """)
    let inputs = [vector(1, 2), vector(3, 4, 5), vector(6)]
    for (place, all) in [
      (0, [6, 1, 2, 3, 4, 5]), (1, [1, 2, 6, 3, 4, 5]), (2, [1, 2, 3, 4, 5, 6]),
      (-1, [1, 2, 6, 3, 4, 5]), (-2, [6, 1, 2, 3, 4, 5]),
    ] as [(Int64, [Float])] {
      let made = try ControlFlowTests.run(graph, inputs + [Tensor(scalar: place)])
      #expect(made[0] == Tensor(scalar: Int64(4)))
      #expect(made[2] == Tensor(vector: all), "place \(place)")
    }
    for place in [3, -3] as [Int64] {
      let failed = code {
        _ = try ReferenceExecutor(graph).run(inputs + [Tensor(scalar: place)])
      }
      #expect(failed == .invalidValue)
    }
  }

  @Test func tensorsAreSplitAndJoined() throws {
    func split(_ attributes: String, _ sizes: Tensor?, _ member: String) throws -> [Tensor] {
      let graph = try ControlFlowTests.graph(
        """
        input %x: float32[2×5]
        \(sizes.map { "constant %sizes: \(GraphText.describe($0.type)) = \($0.integers())" } ?? "")
        %pieces: sequence float32[\(member)] = SplitToSequence(%x\(sizes == nil ? "" : ", %sizes")) \
        {axis=1\(attributes)}
        constant %first: int64[] = [0]
        constant %last: int64[] = [-1]
        %a: float32[\(member)] = SequenceAt(%pieces, %first)
        %b: float32[\(member)] = SequenceAt(%pieces, %last)
        output a = %a
        output b = %b
        """)
      return try ControlFlowTests.run(graph, [counting(2, 5)])
    }
    let first = floats(2, 2, values: [0, 1, 5, 6])
    #expect(
      try split("", Tensor(scalar: Int64(2)), "2×?") == [first, floats(2, 1, values: [4, 9])])
    #expect(
      try split("", integers(2, 3), "2×?") == [first, floats(2, 3, values: [2, 3, 4, 7, 8, 9])])
    #expect(
      try split("", nil, "2×1") == [floats(2, 1, values: [0, 5]), floats(2, 1, values: [4, 9])])
    #expect(try split(", keepdims=false", nil, "2") == [vector(0, 5), vector(4, 9)])
    #expect(throws: ModelError.self) { try split("", integers(2, 2), "2×?") }
    #expect(throws: ModelError.self) { try split("", integers(7, -2), "2×?") }
    #expect(throws: ModelError.self) { try split("", Tensor(scalar: Int64(0)), "2×?") }

    let stack = try ControlFlowTests.graph(
      """
      input %a: float32[2]
      input %b: float32[2]
      %both: sequence float32[2] = SequenceConstruct(%a, %b)
      %rows: float32[?×2] = ConcatFromSequence(%both) {new_axis=true}
      %columns: float32[2×?] = ConcatFromSequence(%both) {axis=-1, new_axis=true}
      output rows = %rows
      output columns = %columns
      """)
    #expect(
      try ControlFlowTests.run(stack, [vector(1, 2), vector(3, 4)])
        == [floats(2, 2, values: [1, 2, 3, 4]), floats(2, 2, values: [1, 3, 2, 4])])
  }

  @Test func loopsAndBranchesCarrySequences() throws {
    let graph = try ControlFlowTests.graph(
      """
      input %m: int64[]
      input %x: float32[2]
      input %c: bool[]
      %none: sequence float32[…] = SequenceEmpty()
      %all: sequence float32[…] = Loop(%m, _, %none, %x) {states=1, body=graph {
        input %i: int64[]
        input %go: bool[]
        input %list: sequence float32[…]
        input %x: float32[2]
        %f: float32[] = Cast(%i) {to="float32"}
        %next: float32[2] = Mul(%x, %f)
        %longer: sequence float32[…] = SequenceInsert(%list, %next)
        output go = %go
        output longer = %longer
      }}
      %chosen: sequence float32[…] = If(%c, %all, %x) {then=graph {
        input %all: sequence float32[…]
        input %x: float32[2]
        %same: sequence float32[…] = Identity(%all)
        output same = %same
      }, else=graph {
        input %all: sequence float32[…]
        input %x: float32[2]
        %one: sequence float32[2] = SequenceConstruct(%x)
        output one = %one
      }}
      %y: float32[…] = ConcatFromSequence(%chosen)
      output y = %y
      """)
    let inputs = [Tensor(scalar: Int64(3)), vector(1, 5)]
    #expect(
      try ControlFlowTests.run(graph, inputs + [Tensor(scalar: true)])
        == [vector(0, 0, 1, 5, 2, 10)])
    #expect(try ControlFlowTests.run(graph, inputs + [Tensor(scalar: false)]) == [vector(1, 5)])
    let empty = code {
      _ = try ReferenceExecutor(graph).run(
        [Tensor(scalar: Int64(0)), vector(1, 5), Tensor(scalar: true)])
    }
    #expect(empty == .invalidValue)
  }

  @Test func sequencesAreRefusedWhereTensorsAreTaken() throws {
    let sequence = Fact(.sequence(of: TensorType(.float32, [2])))
    let tensor = Fact(TensorType(.float32, [2]))
    let place = Fact(TensorType(.int64, []))
    var graph = Graph()
    let id = try graph.addInput("s", sequence.type)
    #expect(code { try graph.append(Relu(), named: "r", to: [id]) } == .typeMismatch)
    #expect(code { try graph.append(SequenceConstruct(), named: "c", to: [id]) } == .typeMismatch)
    #expect(code { try graph.bind([Tensor(vector: [1, 2] as [Float])]) } == .typeMismatch)
    expectRejection("SQ1") { () throws(ModelError) in
      _ = try SequenceConstruct().infer(Operands([]))
    }
    #expect(
      code { _ = try SequenceConstruct().infer(Operands([tensor, place])) } == .typeMismatch)
    #expect(
      code { _ = try SequenceInsert().infer(Operands([sequence, place])) } == .typeMismatch)
    for op in [SequenceAt(), SequenceInsert(), SequenceErase()] as [any Operator] {
      let operands = op is SequenceInsert ? [tensor, tensor, place] : [tensor, place]
      expectRejection("SQ3") { () throws(ModelError) in _ = try op.infer(Operands(operands)) }
    }
    for op in [SequenceLength(), ConcatFromSequence()] as [any Operator] {
      expectRejection("SQ3") { () throws(ModelError) in _ = try op.infer(Operands([tensor])) }
    }
    for wrong in [tensor, Fact(TensorType(.int64, [2]))] {
      expectRejection("SQ4") { () throws(ModelError) in
        _ = try SequenceAt().infer(Operands([sequence, wrong]))
      }
    }
    expectRejection("SS1") { () throws(ModelError) in
      _ = try SplitToSequence().infer(Operands([tensor, tensor]))
    }
    expectRejection("SS2") { () throws(ModelError) in
      _ = try SplitToSequence().infer(Operands([tensor, Fact(TensorType(.int64, [1, 1]))]))
    }
    expectRejection("SS3") { () throws(ModelError) in
      _ = try SplitToSequence().infer(Operands([Fact(TensorType(.float32, []))]))
    }
    expectRejection("CS1") { () throws(ModelError) in
      _ = try ConcatFromSequence().infer(
        Operands([Fact(.sequence(of: TensorType(.float32, [])))]))
    }
    #expect(
      code { _ = try GraphText.parse("graph 1\ninput %s: sequence float32[]", operators: []) }
        == .malformedInput)
    #expect(
      code { _ = try GraphText.parse("graph 2\ninput %s: sequence int8[2] @0.5+0", operators: []) }
        == .invalidValue)
    #expect(
      code {
        _ = try GraphText.parse("graph 2\nconstant %s: sequence int8[2] = [1, 2]", operators: [])
      }
        == .invalidValue)
  }
}
