import ModelAdaptation
import ModelIR
import ModelOperators
import ModelPasses
import ModelRuntime
import OnnxFormat
import TensorCore
import Testing

@Suite struct GradientTests {
  private static let goldens = Result { try GradientGoldens("operators") }

  /// Σ gradient · op(x…) as a graph of inputs x0, x1 …
  private func loss(
    _ item: GradientCase, _ operands: [Tensor], _ gradient: Tensor
  ) throws -> (graph: Graph, names: [String]) {
    var graph = Graph()
    var ids: [ValueID] = []
    for (index, operand) in operands.enumerated() {
      ids.append(try graph.addInput("x\(index)", operand.type))
    }
    let given = try item.operands(ids, &graph)
    let made = try graph.append(item.op, named: "y", to: given)
    let weight = graph.addConstant(gradient, named: "weight")
    let product = try graph.appendOne(Mul(), named: "product", to: [made[0], weight])
    try graph.addOutput("y", made[0])
    var sum = ReduceSum()
    sum.keepDimensions = false
    try graph.addOutput("loss", try graph.appendOne(sum, named: "loss", to: [product]))
    return (graph, operands.indices.map { "x\($0)" })
  }

  private func distance(_ a: Tensor, _ b: Tensor) -> Double {
    let (x, y) = (a.doubles(), b.doubles())
    let scale = y.reduce(1e-3) { max($0, abs($1)) }
    return zip(x, y).reduce(0) { $1.0 == $1.1 ? $0 : max($0, abs($1.0 - $1.1)) } / scale
  }

  @Test(arguments: GradientCase.all) func gradientsArePyTorchs(_ item: GradientCase) throws {
    let goldens = try Self.goldens.get()
    let operands = goldens.operands(item.name)
    let (graph, names) = try loss(
      item, operands.map(\.x), try goldens.tensor("\(item.name).gradient"))
    let backward = try graph.differentiated("loss", by: names)
    try backward.verify()
    var runner = ModelRunner(backward)
    for results in [
      try ReferenceExecutor(backward).run(operands.map(\.x)), try runner.run(operands.map(\.x)),
    ] {
      #expect(distance(results[0], try goldens.tensor("\(item.name).y")) <= 1e-5)
      for (result, wanted) in zip(results.dropFirst(2), operands) {
        #expect(result.shape == wanted.gradient.shape)
        #expect(distance(result, wanted.gradient) <= 1e-5)
      }
    }
  }

  /// In float64 by the references, so that only a wrong formula can differ.
  @Test(arguments: GradientCase.all) func gradientsAreFiniteDifferences(
    _ item: GradientCase
  ) throws {
    let goldens = try Self.goldens.get()
    func wide(_ tensor: Tensor) -> Tensor {
      Tensor(.float64, tensor.shape, doubles: tensor.doubles())
    }
    let operands = goldens.operands(item.name).map { wide($0.x) }
    let (graph, names) = try loss(
      item, operands, wide(try goldens.tensor("\(item.name).gradient")))
    let results = try ReferenceExecutor(graph.differentiated("loss", by: names)).run(operands)
    func value(_ operands: [Tensor]) throws -> Double {
      try ReferenceExecutor(graph).run(operands)[1].doubles()[0]
    }
    let step = 1e-6
    for (index, operand) in operands.enumerated() {
      let gradient = results[2 + index].doubles()
      for place in stride(from: 0, to: operand.count, by: max(1, operand.count / 5)) {
        func moved(_ distance: Double) -> [Tensor] {
          var values = operand.doubles()
          values[place] += distance
          var moved = operands
          moved[index] = Tensor(.float64, operand.shape, doubles: values)
          return moved
        }
        let difference = (try value(moved(step)) - value(moved(-step))) / (2 * step)
        #expect(abs(difference - gradient[place]) <= 1e-6 * max(1, abs(difference)))
      }
    }
  }

  @Test func everyDifferentiableOperatorHasACaseAndBack() throws {
    let have = Set(GradientCase.all.map { type(of: $0.op).name })
    // A case of several outputs has its own test.
    let split: Set = [Split.name]
    let needed = Set(allOperators.filter { $0 is any DifferentiableOperator.Type }.map { $0.name })
    #expect(have.union(split) == needed)
    #expect(Set(GradientCase.all.map(\.name)).union(["split"]) == (try Self.goldens.get().cases))
  }

  @Test func piecesGiveTheirGradientsBack() throws {
    let goldens = try Self.goldens.get()
    let operand = try #require(goldens.operands("split").first)
    var graph = Graph()
    let x = try graph.addInput("x", operand.x.type)
    let sizes = graph.addConstant(Tensor(vector: [2, 3] as [Int64]), named: "sizes")
    let pieces = try graph.append(Split(axis: 2, outputs: 2), named: "pieces", to: [x, sizes])
    let joined = try graph.appendOne(Concat(axis: 2), named: "joined", to: pieces)
    let target = graph.addConstant(try goldens.tensor("split.gradient"), named: "weight")
    let zero = graph.addConstant(Tensor(scalar: Float(-1000)), named: "far below")
    let loss = try Loss.absolute.append(joined, zero, weight: target, to: &graph)
    try graph.addOutput("loss", loss)
    let results = try ReferenceExecutor(graph.differentiated("loss", by: ["x"])).run([operand.x])
    #expect(distance(results[1], operand.gradient) <= 1e-5)
  }

  // MARK: - Rejections

  private func line() throws -> (graph: Graph, x: ValueID) {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [4]))
    return (graph, x)
  }

  @Test func aLossIsOneNumber() throws {
    var (graph, x) = try line()
    try graph.addOutput("loss", x)
    do {
      _ = try graph.differentiated("loss", by: ["x"])
      Issue.record("a loss of four numbers")
    } catch { #expect(error.message.hasPrefix("GR1")) }
  }

  @Test func anOperatorWithoutAGradientIsNamed() throws {
    var (graph, x) = try line()
    let rounded = try graph.appendOne(Round(), named: "rounded", to: [x])
    try graph.addOutput("loss", Loss.square.append(rounded, x, weight: nil, to: &graph))
    do {
      _ = try graph.differentiated("loss", by: ["x"])
      Issue.record("Round has a gradient")
    } catch {
      #expect(error.code == .unsupportedOperator)
      #expect(error.message.hasPrefix("GR2: Round"))
    }
  }

  @Test func whatTheLossDoesNotDependOnHasAGradientOfZeros() throws {
    var (graph, x) = try line()
    _ = try graph.addInput("unused", TensorType(.float32, [2]))
    let zero = graph.addConstant(Tensor(scalar: Float(0)), named: "zero")
    try graph.addOutput("loss", Loss.square.append(x, zero, weight: nil, to: &graph))
    let results = try ReferenceExecutor(graph.differentiated("loss", by: ["unused", "x"])).run([
      Tensor(vector: [1, 2, 3, 4] as [Float]), Tensor(vector: [5, 6] as [Float]),
    ])
    #expect(results[1].floats() == [0, 0])
    #expect(results[2].floats() == [2, 4, 6, 8])
  }
}
