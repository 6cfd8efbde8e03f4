import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import TensorCore
import Testing

/// Graphs whose input `face` is bound: the rest gives what the whole gave.
@Suite struct PartialEvaluationTests {
  /// A graph, the tensor of `face`, and what is expected of the rest.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let text: String
    var face = Tensor(vector: [Float(0)])
    /// The nodes that are left.
    let census: String
    /// Bytes that are stored.
    let stored: Int
  }

  private static func face(_ extents: [Int]) throws -> Tensor {
    Ramp.tensor(try Shape(extents))
  }

  static func cases() throws -> [Case] {
    [
      Case(
        testDescription: "a row that meets many",
        text: """
          graph 1
          input %x: float32[N×2]
          input %face: float32[N×3]
          %1 = Exp(%face)
          %2 = Concat(%1, %x) {axis=1}
          output y = %2
          """, face: try face([1, 3]), census: "Concat 2, Expand 1, Shape 1", stored: 12),
      Case(
        testDescription: "what broadcasts needs no rows",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[1×3]
          %1 = Exp(%face)
          %2 = Add(%1, %x)
          output y = %2
          """, face: try face([1, 3]), census: "Add 1", stored: 12),
      Case(
        testDescription: "an extent that is read off the face",
        text: """
          graph 1
          input %x: float32[N×2×3]
          input %face: float32[N×3]
          constant %zero: int64[] = [0]
          constant %six: int64[1] = [6]
          constant %axes: int64[1] = [0]
          constant %two: int64[] = [2]
          %1 = Shape(%face)
          %2 = Gather(%1, %zero)
          %3 = Unsqueeze(%2, %axes)
          %4 = Concat(%3, %six) {axis=0}
          %5 = Reshape(%x, %4)
          %6 = Mul(%2, %two)
          %7 = Add(%6, %two)
          output y = %5
          output n = %7
          """, face: try face([1, 3]), census: "Add 1, Concat 1, Mul 1, Reshape 2, Shape 1",
        stored: 0),
      Case(
        testDescription: "blocks of several rows",
        text: """
          graph 1
          input %x: float32[N×2×2]
          input %face: float32[N×2×3]
          constant %flat3: int64[2] = [-1, 3]
          constant %flat2: int64[2] = [-1, 2]
          %1 = Exp(%face)
          %2 = Reshape(%1, %flat3)
          %3 = Reshape(%x, %flat2)
          %4 = Concat(%2, %3) {axis=1}
          output y = %4
          """, face: try face([1, 2, 3]), census: "Concat 2, Reshape 1, Shape 1, Tile 1",
        stored: 24),
      Case(
        testDescription: "all rows but the first stay to be cut",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[N×3]
          constant %first: int64[1] = [1]
          constant %last: int64[1] = [100]
          constant %axes: int64[1] = [0]
          %1 = Exp(%face)
          %2 = Slice(%1, %first, %last, %axes)
          %3 = Concat(%2, %x) {axis=0}
          output y = %3
          """, face: try face([1, 3]), census: "Concat 2, Expand 1, Shape 1, Slice 1",
        stored: 12),
      Case(
        testDescription: "rows that are laid out as the others are",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[1×3]
          %1 = Exp(%face)
          %2 = Shape(%x)
          %3 = Expand(%1, %2)
          %4 = Concat(%3, %x) {axis=1}
          output y = %4
          """, face: try face([1, 3]), census: "Concat 1, Expand 1, Shape 1", stored: 12),
      Case(
        testDescription: "extents along both axes",
        text: """
          graph 1
          input %x: float32[N×N]
          input %face: float32[N×N]
          %1 = Exp(%face)
          %2 = Concat(%1, %x) {axis=1}
          output y = %2
          """, face: try face([1, 1]), census: "Concat 2, Expand 1, Shape 1", stored: 4),
      Case(
        testDescription: "several rows fix how many there are",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[N×3]
          %1 = Exp(%face)
          %2 = Concat(%1, %x) {axis=1}
          output y = %2
          """, face: try face([3, 3]), census: "Concat 1", stored: 36),
      Case(
        testDescription: "one row fills a fixed number",
        text: """
          graph 1
          input %x: float32[2×3]
          input %face: float32[2×3]
          %1 = Exp(%face)
          %2 = Concat(%1, %x) {axis=1}
          output y = %2
          """, face: try face([1, 3]), census: "Concat 1", stored: 24),
      Case(
        testDescription: "an extent of its own",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[M×3]
          constant %axes: int64[1] = [0]
          %1 = ReduceSum(%face, %axes)
          %2 = Mul(%1, %x)
          output y = %2
          """, face: try face([5, 3]), census: "Mul 1", stored: 12),
      Case(
        testDescription: "an output that depends on the face alone",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[N×3]
          %1 = Exp(%face)
          %2 = Mul(%x, %x)
          output e = %1
          output y = %2
          """, face: try face([1, 3]), census: "Concat 1, Expand 1, Mul 1, Shape 1", stored: 12),
      Case(
        testDescription: "integers",
        text: """
          graph 1
          input %x: float32[N×3]
          input %face: float32[N×3]
          %1: int8[N×3] @0.0625-3 = Quantize(%face)
          %2: int8[N×6] @0.0625-3 = Concat(%1, %1) {axis=1}
          %3: int8[N×3] @0.0625-3 = Quantize(%x)
          %4: int8[N×9] @0.0625-3 = Concat(%2, %3) {axis=1}
          %5 = Dequantize(%4)
          output y = %5
          """, face: try face([1, 3]),
        census: "Concat 2, Dequantize 1, Expand 1, Quantize 1, Shape 1", stored: 6),
    ]
  }

  private func graph(_ text: String) throws -> Graph {
    try GraphText.parse(text, operators: allOperators)
  }

  /// Computed by the reference, or by planned kernels.
  private func bound(
    _ text: String, _ tensors: [String: Tensor], planned: Bool = false
  ) throws -> PartialEvaluation.Result {
    try PartialEvaluation(graph(text), binding: tensors).result {
      (graph, inputs) throws(ModelError) in
      guard planned else { return try graph.evaluate(inputs) }
      var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
      return try runner.run(inputs)
    }
  }

  @Test(arguments: try cases()) func theRestGivesWhatTheWholeGave(sample: Case) throws {
    let whole = try graph(sample.text)
    let result = try bound(sample.text, ["face": sample.face])
    #expect(result.graph.census == sample.census)
    #expect(result.storedByteCount == sample.stored)
    #expect(result.graph.inputs.map(\.name) == ["x"])
    try result.graph.verify()
    let types = whole.inputs.map { whole.type($0.value).dimensions ?? [] }
    for rows in 1...4 {
      // What the face decides has its extents, everything else has `rows`.
      let isFree = result.graph.inputs.contains { port in
        (result.graph.type(port.value).dimensions ?? []).contains(.symbol("N"))
      }
      let x = Ramp.tensor(
        try Shape(types[0].map { $0.value ?? (isFree ? rows : sample.face.shape[0]) }))
      var face = sample.face
      for (axis, dimension) in types[1].enumerated() where dimension != .symbol("M") {
        let wanted = dimension.value ?? (isFree ? rows : face.shape[axis])
        if face.shape[axis] != wanted { face = try face.repeated(wanted, axis: axis) }
      }
      let expected = try whole.evaluate([x, face])
      #expect(try result.graph.evaluate([x]) == expected)
      let exact = try bound(sample.text, ["face": sample.face], planned: true).graph
      var runner = ModelRunner(exact, options: PlanOptions(profile: .exact))
      let planned = try runner.run([x])
      #expect(planned.map(\.shape) == expected.map(\.shape))
      var unbound = ModelRunner(whole, options: PlanOptions(profile: .exact))
      #expect(try planned == unbound.run([x, face]))
    }
  }

  private static let two = """
    graph 1
    input %x: float32[N×M×3]
    input %face: float32[N×M×3]
    %1 = Add(%x, %face)
    output y = %1
    """

  @Test(arguments: [
    ("voice", [1, 3], ModelError.Code.usage), ("face", [1, 4], .shapeMismatch),
    ("face", [3], .shapeMismatch),
  ])
  func whatDoesNotFitIsRefused(input: String, extents: [Int], code: ModelError.Code) throws {
    let text = try #require(Self.cases().first).text
    let tensor = Ramp.tensor(try Shape(extents))
    #expect(
      #expect(throws: ModelError.self) { try self.bound(text, [input: tensor]) }?.code == code)
  }

  @Test func otherElementsAreRefused() throws {
    let text = try #require(Self.cases().first).text
    let doubles = Tensor(try Shape([1, 3]), [0.0, 1, 2])
    #expect(
      #expect(throws: ModelError.self) { try self.bound(text, ["face": doubles]) }?.code
        == .typeMismatch)
  }

  @Test func somethingHasToBeLeft() throws {
    let text = try #require(Self.cases().first).text
    let all = [
      "x": Ramp.tensor(try Shape([1, 2])), "face": Ramp.tensor(try Shape([1, 3])),
    ]
    #expect(#expect(throws: ModelError.self) { try self.bound(text, all) }?.code == .usage)
    let idle = """
      graph 1
      input %x: float32[N×3]
      input %face: float32[N×3]
      %1 = Exp(%face)
      output y = %1
      """
    let face = ["face": Ramp.tensor(try Shape([1, 3]))]
    #expect(#expect(throws: ModelError.self) { try self.bound(idle, face) }?.code == .usage)
  }

  /// What is summed up depends on how many rows there will be.
  @Test func rowsThatAreSummedUpAreRefused() throws {
    let text = """
      graph 1
      input %x: float32[N×3]
      input %face: float32[N×3]
      constant %axes: int64[1] = [0]
      %1 = ReduceSum(%face, %axes)
      %2 = Mul(%x, %1)
      output y = %2
      """
    let one = ["face": Ramp.tensor(try Shape([1, 3]))]
    #expect(
      #expect(throws: ModelError.self) { try self.bound(text, one) }?.code == .unsupportedFeature)
    let three = ["face": Ramp.tensor(try Shape([3, 3]))]
    #expect(try bound(text, three).graph.census == "Mul 1")
  }

  @Test func oneRowStandsForOneExtent() throws {
    let one = ["face": Ramp.tensor(try Shape([1, 1, 3]))]
    #expect(
      #expect(throws: ModelError.self) { try self.bound(Self.two, one) }?.code
        == .unsupportedFeature)
    let some = ["face": Ramp.tensor(try Shape([1, 4, 3]))]
    #expect(try bound(Self.two, some).graph.census == "Add 1, Concat 1, Expand 1, Shape 1")
  }
}

/// Numbers that repeat after eleven.
private enum Ramp {
  static func tensor(_ shape: Shape) -> Tensor {
    Tensor(shape, (0..<shape.count).map { Float(($0 * 7) % 11) / 5 - 1 })
  }
}

extension Tensor {
  /// An axis of one element as one of many.
  fileprivate func repeated(_ count: Int, axis: Int) throws -> Tensor {
    let repeats = Tensor(
      vector: (0..<shape.rank).map { Int64($0 == axis ? count : 1) })
    return try Tile().reference(Operands([self, repeats]))[0]
  }
}
