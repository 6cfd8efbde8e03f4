import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// Tables of which rows are taken (`Q69`).
@Suite struct ConstantTableTests {
  private static func table(_ dimensions: Int...) throws -> Tensor {
    let shape = try Shape(dimensions)
    let inner = shape.count / dimensions[0]
    // Rows of magnitudes a hundred times apart.
    return Tensor(
      shape,
      noise(shape, seed: 5).floats().enumerated().map { index, value in
        value * (index / inner % 2 == 0 ? 1 : 100)
      })
  }

  private func rows(_ indices: [Int32]) throws -> Tensor { Tensor(vector: indices) }

  /// What `append` makes of a table and the rows that are asked for.
  private func graph(
    _ table: Tensor, _ append: (inout Graph, _ table: ValueID, _ rows: ValueID) throws -> ValueID
  ) throws -> Graph {
    var graph = Graph()
    let indices = try graph.addInput("rows", TensorType(.int32, [.symbol("N")]))
    let table = graph.addConstant(table, named: "table")
    try graph.addOutput("y", try append(&graph, table, indices))
    return try Quantizer.prepared(graph)
  }

  private func quantized(
    _ graph: Graph, keeping kept: Set<String> = []
  ) throws -> (graph: Graph, record: QuantizationRecord) {
    var calibration = Calibration(graph)
    try calibration.observe([try rows([0, 3, -1, 7])])
    return try Quantizer(rounding: .nearest, keptFloat: kept).quantize(calibration)
  }

  private func operands(_ node: Node, in graph: Graph) -> [TensorType] {
    node.inputs.compactMap { $0.map { graph.type($0) } }
  }

  /// The planned run and the reference agree to the last bit.
  private func run(_ graph: Graph, _ input: Tensor) throws -> Tensor {
    var runner = ModelRunner(graph, options: PlanOptions(profile: .exact))
    let made = try runner.run([input])[0]
    #expect(try ReferenceExecutor(graph).run([input])[0] == made)
    return made
  }

  @Test func quantizingAfterwardsGivesTheSameBits() throws {
    let table = try Self.table(24, 32)
    let weight = noise(try Shape([8, 32]), seed: 3)
    let (made, record) = try quantized(
      try graph(table) { graph, table, indices in
        let looked = try graph.appendOne(Gather(), named: "look", to: [table, indices])
        let w = graph.addConstant(weight, named: "w")
        return try graph.appendOne(
          Linear(transposeWeight: true), named: "layer", to: [looked, w])
      })
    let look = try #require(made.nodes.first { $0.name == "look" })
    let parameters = try #require(made.type(look.outputs[0]).quantization)
    #expect(record.layers.allSatisfy { $0.floatReason == nil })
    #expect(!made.values.contains { $0.fact.constant?.element == .float32 })
    var observed: Tensor?
    let input = try rows([5, 0, -2, 5])
    _ = try ReferenceExecutor(made).run([input]) { (id, tensor) throws(ModelError) in
      if id == look.outputs[0] { observed = tensor }
    }
    let plain = try Gather().reference(Operands([table, input]))[0]
    let expected = plain.floats().map { IntegerArithmetic.quantize($0, parameters) }
    #expect(observed == Tensor(plain.shape, expected, quantization: parameters))
    _ = try run(made, input)
  }

  @Test(arguments: [0, 1]) func rowsReadAsFloatsHaveAScaleEach(axis: Int) throws {
    let table = try axis == 0 ? Self.table(24, 32) : Self.table(1, 24, 32)
    let (made, record) = try quantized(
      try graph(table) { graph, table, indices in
        try graph.appendOne(Gather(axis: axis), named: "look", to: [table, indices])
      })
    #expect(record.layers.map(\.floatReason) == [nil])
    let stored = try #require(made.values.compactMap(\.fact.constant).first)
    #expect(stored.element == .int8 && stored.quantization?.axis == axis)
    let input = try rows([7, -1, 2])
    let found = try run(made, input)
    #expect(
      found == (try Gather(axis: axis).reference(Operands([stored.dequantized(), input]))[0]))
    let expected = try Gather(axis: axis).reference(Operands([table, input]))[0].floats()
    for (index, row) in [7, 23, 2].enumerated() {
      for column in 0..<32 {
        let place = index * 32 + column
        let step = try #require(stored.quantization?.scales[row])
        #expect(abs(found.floats()[place] - expected[place]) <= step * 0.5001)
      }
    }
  }

  @Test func whatIsCutOutOfATableOrAddedIsInt8() throws {
    let positions = noise(try Shape([1, 40, 16]), seed: 8)
    let source = try graph(try Self.table(24, 16)) { graph, table, indices in
      let looked = try graph.appendOne(Gather(), named: "look", to: [table, indices])
      let places = graph.addConstant(positions, named: "positions")
      func integers(_ value: Int64) -> ValueID {
        graph.addConstant(Tensor(vector: [value]), named: "c\(value)")
      }
      let cut = try graph.appendOne(
        Slice(), named: "cut", to: [places, integers(4), integers(8), integers(1)])
      return try graph.appendOne(Add(), named: "sum", to: [looked, cut])
    }
    let (made, record) = try quantized(source)
    #expect(!made.values.contains { $0.fact.constant?.element == .float32 })
    #expect(record.layers.first { $0.name == "look" }?.floatReason == nil)
    let input = try rows([1, 2, 3, 4])
    let expected = try ReferenceExecutor(source).run([input])[0].floats()
    let found = try run(made, input).floats()
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 0.5 })
  }

  @Test func someConstantsStayAsTheyAre() throws {
    func floats(
      _ table: Tensor, _ op: any Operator = Gather(), keeping kept: Set<String> = []
    ) throws -> Bool {
      let made = try quantized(
        try graph(table) { graph, table, indices in
          try graph.appendOne(op, named: "look", to: [table, indices])
        }, keeping: kept)
      return made.graph.values.contains { $0.fact.constant?.element == .float32 }
    }
    #expect(!(try floats(try Self.table(24, 32))))
    #expect(try floats(try Self.table(24, 32), keeping: ["look"]))
    #expect(try floats(try Self.table(24, 8)), "too small to be worth it")
    #expect(try floats(Tensor(vector: [Float](repeating: 1, count: 1000))), "one row")
    let endless = Tensor(
      try Shape([24, 32]), (0..<768).map { $0 == 300 ? Float.infinity : 1 })
    #expect(try floats(endless))
  }

  @Test func otherReadsOfATableAreRefused() throws {
    let type = QuantizationParameters(perChannel: [1, 2], axis: 0)
    func refusal(_ op: any IntegerOperator, _ table: Fact, _ output: TensorType) -> String {
      do {
        try op.checkInteger(Operands([table, Fact(Tensor(vector: [Int32(0)]))]), [output])
        return ""
      } catch { return error.message }
    }
    let table = Fact(Tensor(try Shape([2, 2]), [Int8(1), 2, 3, 4], quantization: type))
    let row = TensorType(.float32, [1, 2])
    #expect(refusal(Gather(), table, row).isEmpty)
    #expect(refusal(Gather(axis: 1), table, TensorType(.float32, [2, 1])).hasPrefix("GA4"))
    #expect(
      refusal(Gather(), table, TensorType(.int8, [1, 2], quantization: table.type.quantization))
        .hasPrefix("GA4"))
    #expect(refusal(Gather(), Fact(table.type), row).hasPrefix("Q69"))
    #expect(refusal(Dequantize(), Fact(table.type), row).hasPrefix("Q69"))
    let tiny = QuantizationParameters(perChannel: [0x1p-130, 2], axis: 0)
    let bad = Fact(Tensor(try Shape([2, 2]), [Int8(1), 2, 3, 4], quantization: tiny))
    #expect(refusal(Gather(), bad, row).hasPrefix("Q5"))
  }
}

@Test func productsOfAMemoryAreCounted() throws {
  var graph = Graph()
  let query = try graph.addInput("query", TensorType(.float32, [.symbol("N"), 8]))
  let keys = graph.addConstant(noise(try Shape([12, 4]), seed: 1), named: "keys")
  let values = graph.addConstant(noise(try Shape([12, 5]), seed: 2), named: "values")
  let read = try graph.append(
    MemoryRead(heads: 2, epsilon: 1e-12), named: "memory", to: [query, keys, values])
  try graph.addOutput("y", read[0])
  var calibration = Calibration(graph)
  try calibration.observe([noise(try Shape([3, 8]), seed: 4)])
  let record = try Quantizer().quantize(calibration).record
  #expect(record.layers.map(\.multiplyAccumulates) == [3 * 12 * (4 + 5)])
}
