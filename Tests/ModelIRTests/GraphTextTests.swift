import ModelIR
import ModelOperators
import TensorCore
import Testing

private let operators = allOperators + [EveryField.self as any Operator.Type]

/// Graphs drawn from a seed: every element type, attribute kind, quantization and odd name.
private struct Drawing {
  var numbers: RepeatableNumbers
  var graph = Graph()
  var made: [ValueID] = []

  mutating func next(_ bound: Int) -> Int {
    Int.random(in: 0..<bound, using: &numbers)
  }
  mutating func pick<T>(_ list: [T]) -> T { list[next(list.count)] }

  mutating func float() -> Float {
    let special: [Float] = [
      0, -0.0, .infinity, -.infinity, .nan, Float(bitPattern: 0x7FC0_0001),
      Float(bitPattern: 0xFFC0_0000), .leastNonzeroMagnitude, .greatestFiniteMagnitude, 16_777_216,
      0.1,
    ]
    return next(3) == 0
      ? pick(special) : Float(bitPattern: UInt32(truncatingIfNeeded: next(1 << 31) * 2 + next(2)))
  }
  mutating func scale() -> Float { Float(1 + next(1 << 20)) / Float(1 + next(1 << 20)) }
  mutating func name() -> String {
    pick([
      "x", "w.0", "/encoder/MatMul_output_0", "", "two words", "a\"b\\c\n\t\u{1b}é×…", "7", "twin",
      "v\(next(1000))", String(repeating: "long", count: 12),
    ])
  }
  mutating func tensor(quantized: Bool) throws -> Tensor {
    let element = quantized ? .int8 : pick(ElementType.allCases)
    let extents = (0..<next(4)).map { _ in [0, 1, 2, 3, 7, 40][next(6)] }
    let shape = try Shape(extents)
    let constant = next(4) == 0
    let first = UInt8(next(256))
    var quantization: QuantizationParameters?
    if quantized {
      if shape.rank > 0, shape[shape.rank - 1] > 0, next(2) == 0 {
        quantization = QuantizationParameters(
          perChannel: (0..<shape[shape.rank - 1]).map { _ in scale() }, axis: shape.rank - 1)
      } else {
        quantization = QuantizationParameters(scale: scale(), zeroPoint: Int32(next(256)) - 128)
      }
    }
    var bytes = (0..<shape.count * element.byteCount).map { _ in
      constant ? first : UInt8(next(256))
    }
    if element == .bool { bytes = bytes.map { $0 & 1 } }
    if element == .uint4 { bytes = bytes.map { $0 & 15 } }
    if element == .int4 { bytes = bytes.map { ($0 & 7) &- 8 } }
    return Tensor(
      element, shape, quantization: quantization, writing: { $0.copyBytes(from: bytes) })
  }
  mutating func type() -> TensorType {
    let extents: [Dimension] = (0..<next(5)).map { _ in
      pick([.unknown, .symbol("N"), .symbol("2*seq + 1"), .fixed(0), .fixed(3)])
    }
    return TensorType(pick(ElementType.allCases), next(8) == 0 ? nil : extents)
  }

  mutating func draw() throws -> Graph {
    for _ in 0..<next(3) { graph.metadata[name()] = name() }
    made.append(try graph.addInput("x0", type()))
    for _ in 0..<1 + next(12) {
      switch next(4) {
      case 0:
        let name = name()
        guard !graph.inputs.contains(where: { $0.name == name }) else { continue }
        made.append(try graph.addInput(name, type()))
      case 1: made.append(graph.addConstant(try tensor(quantized: next(2) == 0), named: name()))
      default: try node()
      }
    }
    for index in 0..<next(4) { try graph.addOutput("out \(index)", pick(made)) }
    return graph
  }

  mutating func node() throws {
    var op = EveryField()
    op.count = next(4)
    op.flag = next(2) == 0
    op.ratio = float()
    op.label = name()
    op.axes = (0..<next(3)).map { _ in next(9) - 4 }
    op.weights = (0..<next(3)).map { _ in float() }
    op.words = (0..<next(3)).map { _ in name() }
    op.axis = pick([nil, 3, -1])
    op.table = try tensor(quantized: false)
    op.element = pick(ElementType.allCases)
    let first = pick(made)
    let operands = [first] + (0..<next(3)).map { _ in next(3) == 0 ? nil : pick(made) }
    let canQuantize = graph.type(first).logical.element == .float32
    let outputs = try graph.append(
      op, named: name(), to: operands, origin: next(2) == 0 ? "" : name(),
      outputNames: (0..<next(3)).map { _ in name() },
      quantizedAs: (0..<op.count).map { _ in
        canQuantize && next(2) == 0
          ? QuantizationParameters(scale: scale(), zeroPoint: Int32(next(256)) - 128) : nil
      })
    made += outputs
  }
}

private func expectSame(_ a: Graph, _ b: Graph) {
  #expect(a.values.map(\.name) == b.values.map(\.name))
  #expect(a.values.map(\.type) == b.values.map(\.type))
  #expect(a.values.map(\.fact.constant) == b.values.map(\.fact.constant))
  #expect(a.nodes.map(\.name) == b.nodes.map(\.name))
  #expect(a.nodes.map(\.origin) == b.nodes.map(\.origin))
  #expect(a.nodes.map(\.inputs) == b.nodes.map(\.inputs))
  #expect(a.nodes.map(\.outputs) == b.nodes.map(\.outputs))
  #expect(a.outputs.map(\.name) == b.outputs.map(\.name))
  #expect(a.outputs.map(\.value) == b.outputs.map(\.value))
  #expect(a.metadata == b.metadata)
}

@Suite struct GraphTextTests {
  @Test(arguments: 0..<60) func textReadsBackAsTheSameGraph(seed: Int) throws {
    for step in 0..<5 {
      var drawing = Drawing(numbers: RepeatableNumbers(seed: UInt64(seed * 5 + step)))
      let graph = try drawing.draw()
      let text = GraphText.print(graph)
      let read: Graph
      do { read = try GraphText.parse(text, operators: operators) } catch {
        Issue.record("seed \(seed).\(step): \(error)\n\(text)")
        return
      }
      expectSame(graph, read)
      #expect(GraphText.print(read) == text)
    }
  }

  @Test func everyFloatReadsBackAsTheSameBits() throws {
    var drawing = Drawing(numbers: RepeatableNumbers(seed: 3))
    let shape = try Shape([1000])
    for _ in 0..<20 {
      var graph = Graph()
      let floats = (0..<1000).map { _ in drawing.float() }
      _ = graph.addConstant(Tensor(shape, floats), named: "a")
      _ = graph.addConstant(Tensor(.float16, shape, doubles: floats.map(Double.init)), named: "b")
      _ = graph.addConstant(Tensor(.bfloat16, shape, doubles: floats.map(Double.init)), named: "c")
      _ = graph.addConstant(
        Tensor(.float64, shape, doubles: floats.map { 1 / Double($0) }), named: "d")
      let read = try GraphText.parse(GraphText.print(graph), operators: operators)
      #expect(read.values.map(\.fact.constant) == graph.values.map(\.fact.constant))
    }
  }

  @Test func textIsPleasant() throws {
    var graph = Graph()
    graph.metadata["producer"] = "pytorch 2.9"
    let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 3]))
    let w = graph.addConstant(Tensor(vector: [0, 1, 0.1] as [Float]), named: "encoder/bias")
    let sum = try graph.appendOne(Add(), named: "/encoder/Add", to: [x, w], origin: "encoder.add")
    let y = try graph.appendOne(Softmax(axis: 1), named: "y", to: [sum])
    try graph.addOutput("probabilities", y)
    #expect(
      GraphText.print(graph) == """
        graph 1
        metadata producer = "pytorch 2.9"
        input %x: float32[N×3]
        constant %1 "encoder/bias": float32[3] = [0.0, 1.0, 0.1]
        %2: float32[N×3] = Add(%x, %1) "/encoder/Add" from "encoder.add"
        %y: float32[N×3] = Softmax(%2) {axis=1}
        output probabilities = %y

        """)
  }

  @Test func writtenByHand() throws {
    let graph = try GraphText.parse(
      """
      // A comment; names and types may be left out.
      graph 1

      input %x: float32[2×3]
      constant %w: float32[2×3] = [1, 2, 3,
                                   4, 5, 6]  // over two lines
      constant %big: float32[64×64] = fill 0.5
      %sum = Add(%x, %w)
      %y: float32[2×3] = Softmax(%sum) {axis=0} "probabilities"
      output y = %y
      """, operators: operators)
    #expect(graph.nodes.map(\.name) == ["sum", "probabilities"])
    #expect(graph.values.last?.name == "y")
    #expect(graph.values[1].fact.constant?.floats() == [1, 2, 3, 4, 5, 6])
    #expect(graph.values[2].fact.constant?.bytes.count == 16384)
  }

  @Test func elidedTextDoesNotReadBack() throws {
    var graph = Graph()
    let values = (0..<100).map { Float($0) }
    _ = graph.addConstant(Tensor(vector: values), named: "w")
    let text = GraphText.print(graph, .elided(limit: 2))
    #expect(text.contains("constant %w: float32[100] = [0.0, 1.0, …]\n"))
    #expect(throws: ModelError.self) { try GraphText.parse(text, operators: operators) }
  }

  @Test func numberedConstantsComeFromOutside() throws {
    let tensors = [Tensor(vector: [1, 2] as [Float]), Tensor(vector: [3, 4] as [Int8])]
    var graph = Graph()
    let parameters = QuantizationParameters(scale: 0.5, zeroPoint: -3)
    let a = graph.addConstant(tensors[1].reading(as: parameters), named: "a")
    var numbers = TensorNumbers()
    numbers[try #require(graph.constant(a))] = 1
    let text = GraphText.print(graph, .numbered(numbers))
    #expect(text == "graph 1\nconstant %a: int8[2] @0.5-3 = #1\n")
    let read = try GraphText.parse(text, operators: [], tensors: tensors)
    #expect(read.constant(a) == graph.constant(a))
    for hostile in ["float32[2] = #1", "int8[2] = #2", "int8[3] = #1", "int8[2] = #-1"] {
      #expect(throws: ModelError.self) {
        try GraphText.parse("graph 1\nconstant %a: \(hostile)", operators: [], tensors: tensors)
      }
    }
  }

  struct Rejected: Sendable, CustomTestStringConvertible {
    let code: ModelError.Code
    let place: String
    let text: String
    init(_ code: ModelError.Code, _ place: String, _ text: String) {
      self.code = code
      self.place = place
      self.text = text
    }
    var testDescription: String { text }
  }

  @Test(arguments: [
    Rejected(.malformedInput, "line 1, column 1", ""),
    Rejected(.malformedInput, "line 1, column 1", "input %x: float32[]"),
    Rejected(.unsupportedFeature, "line 1", "graph 4"),
    Rejected(.malformedInput, "line 2, column 1", "graph 1\nvalue %x"),
    Rejected(.malformedInput, "line 2, column 11", "graph 1\ninput %x: float31[]"),
    Rejected(.malformedInput, "line 2, column 19", "graph 1\ninput %x: float32[-3]"),
    Rejected(.limitExceeded, "line 2", "graph 1\ninput %x: float32[99999999999×99999999999]"),
    Rejected(
      .limitExceeded, "line 2", "graph 1\ninput %x: float32[1×1×1×1×1×1×1×1×1×1×1×1×1×1×1×1×1]"),
    Rejected(.invalidGraph, "line 3, column 7", "graph 1\ninput %x: float32[]\ninput %x: bool[]"),
    Rejected(
      .invalidGraph, "line 3, column 7", "graph 1\ninput %x: float32[]\ninput %1 \"x\": bool[]"),
    Rejected(.invalidGraph, "line 2, column 11", "graph 1\n%y = Relu(%x)"),
    Rejected(
      .unsupportedOperator, "line 3, column 6", "graph 1\ninput %x: float32[]\n%y = Rule(%x)"),
    Rejected(
      .unsupportedAttribute, "line 3, column 6",
      "graph 1\ninput %x: float32[]\n%y = Relu(%x) {slope=1}"),
    Rejected(
      .malformedInput, "line 3, column 24",
      "graph 1\ninput %x: float32[2]\n%y = Softmax(%x) {axis=}"),
    Rejected(
      .malformedInput, "line 3, column 27",
      "graph 1\ninput %x: float32[2]\n%y = Softmax(%x) {axis=0, axis=0}"),
    Rejected(
      .limitExceeded, "line 3, column 24",
      "graph 1\ninput %x: float32[2]\n%y = Softmax(%x) {axis=2147483648}"),
    Rejected(.typeMismatch, "line 3, column 6", "graph 1\ninput %x: bool[]\n%y = Relu(%x)"),
    Rejected(
      .invalidGraph, "line 3, column 1", "graph 1\ninput %x: float32[N]\n%y: float32[M] = Relu(%x)"),
    Rejected(
      .notQuantizable, "line 3, column 21",
      "graph 1\ninput %x: float32[]\n%y: int8[] @0.5+0 = Relu(%x)"),
    Rejected(.invalidGraph, "line 3, column 10", "graph 1\ninput %x: float32[]\n%y, %z = Relu(%x)"),
    Rejected(.invalidGraph, "line 2, column 12", "graph 1\noutput y = %y"),
    Rejected(.malformedInput, "line 3", "graph 1\nmetadata a = \"1\"\nmetadata a = \"2\""),
    Rejected(.malformedInput, "line 2", "graph 1\nmetadata a = \"1"),
    Rejected(.malformedInput, "line 2", "graph 1\nmetadata a = \"\\u{d800}\""),
    Rejected(.malformedInput, "line 2, column 28", "graph 1\nconstant %a: int8[2] = [1, 128]"),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: int8[2] = [1]"),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: int8[2] = [1, 2, 3]"),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: float32[1] = [1e39]"),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: float16[1] = [0x7c001]"),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: bool[2] = hex \"0102\""),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: int8[2] = hex \"010\""),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: int8[2] = [1, …]"),
    Rejected(.malformedInput, "line 2", "graph 1\nconstant %a: int8[2] = #0"),
    Rejected(.limitExceeded, "line 2", "graph 1\nconstant %a: int8[99999999999] = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: int8[N] = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: int8[2] @0.0+3 = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: int8[2] @1.0+300 = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: float32[2] @1.0+0 = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: int8[2] @axis0[1.0] = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: int8[2] @axis1[1.0, 1.0] = fill 0"),
    Rejected(.invalidValue, "line 2", "graph 1\nconstant %a: int8[2] @axis0[1.0, nan] = fill 0"),
    Rejected(.malformedInput, "line 2", "graph 2\nconstant %a: int8[2] @axis0 #0+0 = fill 0"),
    Rejected(.malformedInput, "line 2", "graph 3\nconstant %a: int8[2] @axis0 #0+0 = fill 0"),
    Rejected(.malformedInput, "line 2", "graph 3\nconstant %a: int8[2] @axis0 #0 = fill 0"),
  ]) func rejectedTextNamesItsPlace(_ rejected: Rejected) {
    do {
      _ = try GraphText.parse(rejected.text, operators: operators)
      Issue.record("was read: \(rejected.text)")
    } catch {
      #expect(error.code == rejected.code, "\(error)")
      #expect(error.description.contains(rejected.place), "\(error)")
    }
  }

  @Test func everyCutAndChangedByteIsReadOrRefused() throws {
    var drawing = Drawing(numbers: RepeatableNumbers(seed: 11))
    let bytes = Array(GraphText.print(try drawing.draw()).utf8)
    for length in stride(from: 0, to: bytes.count, by: 7) {
      _ = try? GraphText.parse(
        String(decoding: bytes[..<length], as: UTF8.self), operators: operators)
    }
    for _ in 0..<500 {
      var changed = bytes
      changed[drawing.next(bytes.count)] = UInt8(drawing.next(256))
      _ = try? GraphText.parse(String(decoding: changed, as: UTF8.self), operators: operators)
    }
  }
}
