import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct ReductionTests {
  @Test func axesComeFromTheOperand() throws {
    let x = counting(2, 3)
    var sum = ReduceSum()
    #expect(try evaluate(sum, x, integers(-1))[0] == floats(2, 1, values: [3, 12]))
    #expect(try evaluate(sum, x)[0] == floats(1, 1, values: [15]))
    sum.keepDimensions = false
    #expect(try evaluate(sum, x, integers(0))[0] == floats(3, values: [3, 5, 7]))
    #expect(try evaluate(sum, x)[0] == Tensor(scalar: Float(15)))
  }

  @Test func noAxesReduceNothingWhenAsked() throws {
    var squares = ReduceSumSquare()
    squares.noopWithEmptyAxes = true
    #expect(try evaluate(squares, counting(3))[0] == floats(3, values: [0, 1, 4]))
  }

  @Test func aKeptSymbolStays() throws {
    var mean = ReduceMean()
    mean.keepDimensions = false
    let types = try mean.infer(
      Operands([open(.float32, .symbol("N"), 5), Fact(integers(1))]))
    #expect(types[0].dimensions == [.symbol("N")])
    let unknownAxes = try ReduceMean().infer(
      Operands([open(.float32, .symbol("N"), 5), open(.int64, 1)]))
    #expect(unknownAxes[0].dimensions == [.unknown, .unknown])
  }

  @Test(arguments: [
    (Fact(Tensor(vector: [true])), Fact(integers(0)), ModelError.Code.typeMismatch),
    (Fact(counting(2)), Fact(counting(1)), .typeMismatch),
    (Fact(counting(2)), Fact(integers(1)), .invalidValue),
    (Fact(counting(2)), Fact(integers(0, -1)), .invalidValue),
  ])
  func rejects(x: Fact, axes: Fact, expected: ModelError.Code) {
    #expect(code { _ = try ReduceSum().infer(Operands([x, axes])) } == expected)
  }

  @Test func integersAreReducedExactly() throws {
    let big = Int64(1) << 60
    let x = Tensor(vector: [big + 1, 1, -big])
    #expect(try evaluate(ReduceSum(), x)[0] == Tensor(vector: [Int64(2)]))
    #expect(
      try evaluate(ReduceMax(), Tensor(vector: [UInt64.max, 1]))[0] == Tensor(vector: [UInt64.max]))
  }
}
