import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct DataTests {
  @Test func concatJoinsAlongAnAxis() throws {
    let y = try evaluate(Concat(axis: -1), counting(2, 2), counting(2, 1))[0]
    #expect(y == floats(2, 3, values: [0, 1, 0, 2, 3, 1]))
  }

  @Test func concatAddsExtentsAndMergesTheRest() throws {
    let types = try Concat(axis: 1).infer(
      Operands([open(.float32, .symbol("N"), 2, .unknown), open(.float32, .unknown, 3, 7)]))
    #expect(types[0].dimensions == [.symbol("N"), 5, 7])
  }

  @Test(arguments: [
    (Fact(counting(2, 2)), Fact(integers(1)), ModelError.Code.typeMismatch),
    (Fact(counting(2, 2)), Fact(counting(3, 2)), .shapeMismatch),
    (Fact(counting(2, 2)), Fact(counting(2)), .shapeMismatch),
  ])
  func concatRejects(a: Fact, b: Fact, expected: ModelError.Code) {
    #expect(code { _ = try Concat(axis: 1).infer(Operands([a, b])) } == expected)
  }

  @Test func sliceWalksBothWays() throws {
    let x = counting(5)
    #expect(
      try evaluate(Slice(), x, integers(-2), integers(Int.min), integers(0), integers(-2))[0]
        == floats(2, values: [3, 1]))
    #expect(try evaluate(Slice(), x, integers(1), integers(-1))[0] == floats(3, values: [1, 2, 3]))
    #expect(try evaluate(Slice(), x, integers(4), integers(2))[0].count == 0)
    #expect(
      try evaluate(Slice(), x, integers(Int.max), integers(Int.min), nil, integers(-1))[0]
        == floats(5, values: [4, 3, 2, 1, 0]))
  }

  @Test(arguments: [Int.max, 1 << 62, 2]) func aStepOverTheWholeAxisTakesItsFirstElement(
    step: Int
  ) throws {
    let x = counting(2, 3)
    let (first, axis) = (integers(0), integers(0))
    try expectAgreement(Slice(), [x, first, integers(2), axis, integers(step)], tolerance: 0)
    #expect(
      try evaluate(Slice(), x, first, integers(2), axis, integers(step))[0]
        == floats(1, 3, values: [0, 1, 2]))
    for back in [-step, Int.min] {
      #expect(
        try evaluate(Slice(), x, integers(-1), integers(Int.min), axis, integers(back))[0]
          == floats(1, 3, values: [3, 4, 5]))
    }
  }

  /// Start, limit, step and how many numbers these are.
  @Test(
    arguments: [
      (1 << 53, 1 << 53 + 3, 1, 3), (1 << 53 + 1, 1 << 53 + 4, 1, 3),
      (1 << 60, 1 << 60 + 100, 7, 15), (-(1 << 62), -(1 << 62) + 5, 2, 3),
      (Int.max, Int.max - 3, -2, 2), (Int.min, Int.max, Int.max, 3), (Int.max, Int.min, Int.min, 2),
      (Int.min, Int.max, -1, 0), (Int.max, Int.min, 1, 0), (5, 5, -1, 0),
    ] as [(Int, Int, Int, Int)])
  func rangesOfIntegersAreExact(start: Int, limit: Int, step: Int, count: Int) throws {
    let bounds = [start, limit, step].map { Tensor(scalar: Int64($0)) }
    let y = try evaluate(NumericRange(), bounds[0], bounds[1], bounds[2])[0]
    #expect(y.integers() == (0..<count).map { Int64(start &+ $0 &* step) })
  }

  @Test func rangesOfUnsignedIntegersGoToTheirEnd() throws {
    let bounds = [UInt64.max - 5, UInt64.max, 2].map { Tensor(scalar: $0) }
    let y = try evaluate(NumericRange(), bounds[0], bounds[1], bounds[2])[0]
    #expect(y == Tensor(vector: [UInt64.max - 5, UInt64.max - 3, UInt64.max - 1]))
  }

  @Test func rangesThatAreTooLongAreRefused() {
    func refusal(_ bounds: Tensor...) -> ModelError.Code? {
      code { _ = try NumericRange().reference(Operands(bounds)) }
    }
    func real(_ start: Float, _ limit: Float, _ step: Float) -> ModelError.Code? {
      refusal(Tensor(scalar: start), Tensor(scalar: limit), Tensor(scalar: step))
    }
    #expect(
      refusal(Tensor(scalar: Int64.min), Tensor(scalar: Int64.max), Tensor(scalar: Int64(1)))
        == .invalidValue)
    for limit in [Float.infinity, 3e38, .nan] { #expect(real(0, limit, 1) == .invalidValue) }
    for limit in [-Float.infinity, -3e38, 0] { #expect(real(0, limit, 1) == nil) }
  }

  @Test func blocksMayBeLongerThanTheAxis() throws {
    var (op, back) = (QuantizeLinear(), DequantizeLinear())
    (op.block, back.block) = (.max, .max)
    let scale = floats(2, 1, values: [1, 2])
    #expect(
      try evaluate(op, counting(2, 3), scale)[0]
        == Tensor(try Shape([2, 3]), [0, 1, 2, 2, 2, 2] as [UInt8]))
    #expect(
      try evaluate(back, Tensor(try Shape([2, 1]), [3, 4] as [UInt8]), scale)[0]
        == floats(2, 1, values: [3, 8]))
  }

  @Test func sliceOfEverythingKeepsASymbol() throws {
    let x = open(.float32, .symbol("N"), 8)
    let whole = try Slice().infer(
      Operands([x, Fact(integers(0)), Fact(integers(Int.max)), Fact(integers(0))]))
    #expect(whole[0].dimensions == [.symbol("N"), 8])
    let part = try Slice().infer(
      Operands([x, Fact(integers(1)), Fact(integers(Int.max)), Fact(integers(0))]))
    #expect(part[0].dimensions == [.unknown, 8])
    let unnamed = try Slice().infer(
      Operands([x, Fact(integers(1)), Fact(integers(2)), open(.int64, 1)]))
    #expect(unnamed[0].dimensions == [.unknown, .unknown])
  }

  @Test(arguments: [
    ([1, 2], [2], [0], [1], ModelError.Code.shapeMismatch),
    ([1], [2], [0], [0], .invalidValue), ([1], [2], [2], [1], .invalidValue),
    ([1, 1], [2, 2], [0, 0], [1, 1], .invalidValue),
  ])
  func sliceRejects(
    starts: [Int], ends: [Int], axes: [Int], steps: [Int], expected: ModelError.Code
  ) {
    let operands = [starts, ends, axes, steps].map { list in
      Fact(Tensor(vector: list.map { Int64($0) }))
    }
    #expect(
      code { _ = try Slice().infer(Operands([Fact(counting(2, 3))] + operands)) } == expected)
  }

  @Test func gatherCountsFromTheEnd() throws {
    let y = try evaluate(Gather(axis: 1), counting(2, 3), Tensor(scalar: Int64(-1)))[0]
    #expect(y == floats(2, values: [2, 5]))
    #expect(
      code { _ = try evaluate(Gather(axis: 0), counting(2), integers(2)) } == .invalidValue)
  }

  @Test func unsqueezeAndSqueezeAreInverse() throws {
    let x = counting(2, 3)
    let wide = try evaluate(Unsqueeze(), x, integers(0, -1))[0]
    #expect(wide.shape.dimensions == [1, 2, 3, 1])
    #expect(try evaluate(Squeeze(), wide, integers(-1, 0))[0] == x)
    #expect(try evaluate(Squeeze(), wide)[0] == x)
    #expect(code { _ = try evaluate(Squeeze(), x, integers(0)) } == .shapeMismatch)
    #expect(code { _ = try evaluate(Unsqueeze(), x, integers(1, 1)) } == .invalidValue)
  }

  @Test func flattenKeepsASymbolBesideOnes() throws {
    let types = try Flatten(axis: 1).infer(Operands([open(.float32, .symbol("N"), 1, 5)]))
    #expect(types[0].dimensions == [.symbol("N"), 5])
    #expect(code { _ = try evaluate(Flatten(axis: 3), counting(2, 2)) } == .invalidValue)
    #expect(try evaluate(Flatten(axis: 0), counting(2, 2))[0].shape.dimensions == [1, 4])
  }

  @Test func transposeReordersAxes() throws {
    #expect(
      try evaluate(Transpose([1, 0]), counting(2, 3))[0]
        == floats(3, 2, values: [0, 3, 1, 4, 2, 5]))
    #expect(code { _ = try evaluate(Transpose([0, 0]), counting(2, 3)) } == .invalidValue)
  }

  @Test func expandRepeats() throws {
    let x = floats(2, 1, values: [1, 2])
    #expect(
      try evaluate(Expand(), x, integers(2, 1, 2))[0]
        == floats(2, 2, 2, values: [1, 1, 2, 2, 1, 1, 2, 2]))
    #expect(code { _ = try evaluate(Expand(), x, integers(3, 2)) } == .shapeMismatch)
  }

  @Test func splitMakesTheLastPieceSmaller() throws {
    let pieces = try evaluate(Split(axis: 0, outputs: 3), counting(7))
    #expect(pieces.map(\.count) == [3, 3, 1])
    let named = try evaluate(Split(axis: 0, outputs: 2), counting(3), integers(1, 2))
    #expect(named[1] == floats(2, values: [1, 2]))
    #expect(
      code { _ = try evaluate(Split(axis: 0, outputs: 2), counting(3), integers(1, 1)) }
        == .shapeMismatch)
  }

  @Test func castTruncatesWrapsAndRounds() throws {
    let x = floats(3, values: [-1.9, 300.5, .nan])
    #expect(try evaluate(Cast(to: .int32), x)[0] == Tensor(vector: [Int32(-1), 300, 0]))
    #expect(try evaluate(Cast(to: .bool), x)[0] == Tensor(vector: [true, true, true]))
    #expect(
      try evaluate(Cast(to: .uint64), floats(1, values: [0x1p63]))[0]
        == Tensor(vector: [UInt64(1) << 63]))
  }

  @Test func movedIntegersKeepTheirScale() throws {
    let eighths = QuantizationParameters(scale: 0.125, zeroPoint: 3)
    let x = Tensor(vector: [Int8(1), 2, 3]).reading(as: eighths)
    let op = Slice()
    let operands: [Tensor?] = [x, integers(1), integers(3)]
    let types = try Graph.infer(
      op, Operands(operands.map { $0.map { Fact($0) } }), quantizedAs: [eighths])
    #expect(types == [TensorType(.int8, [2], quantization: eighths)])
    let y = try op.integerReference(Operands(operands), types)
    #expect(y == [Tensor(vector: [Int8(2), 3]).reading(as: eighths)])
    let other = QuantizationParameters(scale: 0.5, zeroPoint: 3)
    #expect(
      code {
        _ = try Graph.infer(
          op, Operands(operands.map { $0.map { Fact($0) } }), quantizedAs: [other])
      } == .notQuantizable)
  }
}
