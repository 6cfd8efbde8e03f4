import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Shape arithmetic on dimensions that have no value yet.
@Suite struct ExtentsTests {
  let image = TensorType(.float32, [.symbol("N"), 3, 96, .unknown])

  @Test func aShapeIsCutJoinedAndUsed() throws {
    var graph = Graph()
    let x = try graph.addInput("x", image)
    let shape = try graph.appendOne(ShapeOf(), named: "shape", to: [x])
    let zero = graph.addConstant(Tensor(scalar: Int64(0)), named: "zero")
    let batch = try graph.appendOne(Gather(axis: 0), named: "batch", to: [shape, zero])
    let front = graph.addConstant(integers(0), named: "front")
    let vector = try graph.appendOne(Unsqueeze(), named: "vector", to: [batch, front])
    let rest = graph.addConstant(integers(-1, 96), named: "rest")
    let target = try graph.appendOne(Concat(axis: 0), named: "target", to: [vector, rest])
    let y = try graph.appendOne(Reshape(), named: "y", to: [x, target])
    #expect(graph.type(y).dimensions == [.symbol("N"), .unknown, 96])
  }

  @Test func arithmeticPassesSymbolsThroughIdentities() throws {
    let shape = Fact(TensorType(.int64, [2]), extents: [.symbol("N"), 6])
    let one = Fact(Tensor(scalar: Int64(1)))
    let three = Fact(Tensor(scalar: Int64(3)))
    #expect(Mul().extents(Operands([shape, one])) == [.symbol("N"), 6])
    #expect(Div().extents(Operands([shape, three])) == [.unknown, 2])
    #expect(Div().extents(Operands([shape, Fact(Tensor(scalar: Int64(0)))])) == [.unknown, 0])
    #expect(Sub().extents(Operands([shape, one])) == [.unknown, 5])
    #expect(Cast(to: .int32).extents(Operands([shape])) == [.symbol("N"), 6])
  }

  @Test func aSliceOfAShapeIsAShape() throws {
    let shape = Fact(TensorType(.int64, [3]), extents: [.symbol("N"), 6, 7])
    let cut = Slice().extents(
      Operands([shape, Fact(integers(0)), Fact(integers(-1)), Fact(integers(0))]))
    #expect(cut == [.symbol("N"), 6])
  }

  @Test func anUnknownRankStaysOpen() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, nil))
    let y = try graph.appendOne(Relu(), named: "y", to: [x])
    let z = try graph.appendOne(Add(), named: "z", to: [y, y])
    let shape = try graph.appendOne(ShapeOf(), named: "shape", to: [z])
    #expect(graph.type(z) == TensorType(.float32, nil))
    #expect(graph.type(shape) == TensorType(.int64, [.unknown]))
  }
}
