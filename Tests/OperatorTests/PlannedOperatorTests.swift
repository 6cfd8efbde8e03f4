import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// Kernels of elementwise, moving and reducing operators against their references.
@Suite struct PlannedOperatorTests {
  static let unary: [any Operator] = [
    Abs(), Ceil(), Elu(alpha: 0.7), Erf(), Exp(), Floor(), Gelu(), Gelu(.tanh),
    HardSigmoid(alpha: 0.3, beta: 0.4), HardSwish(), Identity(), LeakyRelu(alpha: 0.2), Mish(),
    Neg(), Relu(), Round(), Shrink(lambda: 0.3, bias: 0.1), Sigmoid(), Sign(), Softplus(),
    Softsign(), Swish(alpha: 1), Swish(alpha: 2), Tanh(), ThresholdedRelu(alpha: 0.2),
  ]

  @Test(arguments: unary.indices) func mapsAgree(index: Int) throws {
    var samples = Samples(UInt64(index))
    try expectAgreement(Self.unary[index], [try samples.tensor([3, 7, 11])])
    try expectAgreement(Self.unary[index], [try samples.tensor([])])
    if index < 3 { try expectAgreement(Self.unary[index], [try samples.tensor([2, 17_000])]) }
    try expectAgreement(Self.unary[index], [try samples.tensor([0, 3])])
  }

  @Test(arguments: [Log(), Reciprocal(), Sqrt()] as [any Operator])
  func mapsOfPositiveNumbersAgree(op: any Operator) throws {
    var samples = Samples(5)
    let x = try samples.tensor([4, 5])
    try expectAgreement(op, [Tensor(x.shape, x.floats().map { abs($0) + 0.1 })])
  }

  static let shapes: [([Int], [Int])] = [
    ([2, 3, 4], [2, 3, 4]), ([2, 3, 4], [1]), ([], [2, 3]), ([2, 3, 4], [3, 1]), ([4], [2, 3, 4]),
    ([2, 1, 4], [1, 3, 1]), ([5, 1], [1, 6]), ([2, 3, 4, 5], [1, 3, 1, 1]), ([1, 33_000], [1]),
    ([0, 3], [1, 3]), ([2, 1, 3, 1, 2], [1, 4, 1, 5, 1]),
  ]

  @Test(arguments: shapes.indices) func pairsAgree(index: Int) throws {
    var samples = Samples(UInt64(index) &+ 100)
    let (first, second) = Self.shapes[index]
    let a = try samples.tensor(first)
    let b = try samples.tensor(second)
    let apart = Tensor(b.shape, b.floats().map { $0 + ($0 < 0 ? -0.5 : 0.5) })
    for op in [Add(), Sub(), Mul(), Div(), Max(), Min(), Sum(), Mean()] as [any Operator] {
      try expectAgreement(op, [a, apart], variables: [1])
      try expectAgreement(op, [a, apart])
    }
    if try Shape.broadcast(a.shape, b.shape) == a.shape {
      try expectAgreement(PRelu(), [a, b], variables: [1])
    }
  }

  @Test func chosenElementsAgree() throws {
    var samples = Samples(3)
    let condition = Tensor(try Shape([2, 1, 3]), [true, false, false, true, true, false])
    let x = try samples.tensor([2, 4, 3])
    let z = try samples.tensor([4, 1])
    try expectAgreement(Where(), [condition, x, z], variables: [1, 2])
    try expectAgreement(Where(), [condition, integers(1, 2, 3), integers(9)], variables: [1])
  }

  @Test func limitsAgree() throws {
    var samples = Samples(4)
    let x = try samples.tensor([2, 9])
    try expectAgreement(Clip(), [x, Tensor(scalar: Float(-0.2)), Tensor(scalar: Float(0.4))])
    try expectAgreement(Clip(), [x, nil, Tensor(scalar: Float(0.1))])
    try expectAgreement(Clip(), [x, Tensor(scalar: Float(0.1))], variables: [1])
    for exponent: Float in [1, 2, 3] { try expectAgreement(Pow(), [x, Tensor(scalar: exponent)]) }
    let positive = Tensor(x.shape, x.floats().map { abs($0) + 0.1 })
    for exponent: Float in [0.5, -1] {
      try expectAgreement(Pow(), [positive, Tensor(scalar: exponent)])
    }
  }

  /// In every place of a row, so in every lane of a kernel and behind its last whole vector.
  @Test(arguments: [0, 1, 15, 16, 36]) func whatIsNoNumberStays(place: Int) throws {
    var samples = Samples(5)
    let values = try samples.tensor([2, 37])
    var numbers = values.floats()
    numbers[place] = .nan
    let x = Tensor(values.shape, numbers)
    let wide = try samples.tensor([2, 37])
    for op in [Max(), Min()] as [any Operator] {
      try expectAgreement(op, [x, wide], variables: [1])
      try expectAgreement(op, [wide, x], variables: [1])
      try expectAgreement(op, [x, Tensor(scalar: Float(0.1))])
      try expectAgreement(op, [wide, Tensor(scalar: Float.nan)])
    }
    let limits = (Tensor(scalar: Float(0)), Tensor(scalar: Float(0.5)))
    try expectAgreement(Clip(), [x, limits.0, limits.1])
    let sigmoid = HardSigmoid(alpha: 0.3, beta: 0.4)
    for op in [sigmoid, Relu(), LeakyRelu(alpha: 0.1), Softmax(axis: 1)] as [any Operator] {
      try expectAgreement(op, [x])
    }
    for axis in [0, 1] {
      try expectAgreement(ReduceMax(), [x, integers(axis)])
      try expectAgreement(ReduceMin(), [x, integers(axis)])
    }
    try expectAgreement(GlobalMaxPool(), [try x.reshaped(to: Shape([1, 2, 37]))])
    let clip = Epilogue(.clip, lower: 0, upper: 6)
    try expectAgreement(
      Linear(transposeWeight: false, epilogue: clip), [x, try samples.tensor([37, 20])])
    try expectAgreement(
      Convolution(epilogue: clip),
      [try x.reshaped(to: Shape([1, 2, 37])), try samples.tensor([20, 2, 3])])
  }

  static let moving: [(any Operator, [Tensor?])] = [
    (Transpose(nil), []), (Transpose([0, 2, 3, 1]), []), (Transpose([0, 3, 1, 2]), []),
    (Transpose([0, 1, 3, 2]), []), (Transpose([3, 1, 0, 2]), []), (Transpose([0, 1, 2, 3]), []),
    (Slice(), [integers(1), integers(5), integers(3), integers(2)]),
    (Slice(), [integers(-1, 1), integers(Int.min, 2), integers(2, 1), integers(-1, 1)]),
    (Expand(), [integers(3, 1, 1, 1, 1)]), (Expand(), [integers(1, 4, 1, 1)]),
    (Tile(), [integers(1, 2, 1, 3)]), (Split(axis: 1, outputs: 2), []),
    (Split(axis: -1, outputs: 2), [integers(2, 4)]),
    (DepthToSpace(block: 2, mode: .depthFirst), []),
    (DepthToSpace(block: 2, mode: .columnFirst), []),
    (SpaceToDepth(block: 3, mode: .depthFirst), []),
    (SpaceToDepth(block: 3, mode: .columnFirst), []),
    (Gather(axis: 2), [integers(2, -1, 0, 2)]), (Gather(axis: 1), [Tensor(scalar: Int64(3))]),
    (Pad(), [integers(0, 1, 2, 0, 1, 0, 0, 3)]), (Pad(), [integers(0, 0, -1, 2, 0, 0, 1, -2)]),
    (Pad(.reflect), [integers(0, 0, 2, 4, 0, 0, 1, 5)]),
    (Pad(.edge), [integers(1, 2, 0, 0, 0, 0, 3, 0)]),
    (Pad(.wrap), [integers(0, 0, 4, 2, 0, 0, 0, 7)]),
    (Pad(), [integers(1, 2), nil, integers(-1)]), (Squeeze(), [integers(0)]),
    (Unsqueeze(), [integers(0, 5)]), (Flatten(axis: 2), []), (Flatten(axis: 0), []),
    (Identity(), []),
    (ReverseSequence(batchAxis: 1, timeAxis: 0), [integers(1, 1, 1, 1)]),
  ]

  @Test(arguments: moving.indices) func movedFloatsAgree(index: Int) throws {
    var samples = Samples(UInt64(index) &+ 200)
    let (op, operands) = Self.moving[index]
    try expectAgreement(op, [try samples.tensor([1, 4, 3, 6])] + operands, tolerance: 0)
  }

  @Test(arguments: moving.indices) func movedElementsOfAnySizeAgree(index: Int) throws {
    let (op, operands) = Self.moving[index]
    let shape = try Shape([1, 4, 3, 6])
    for element in [ElementType.float64, .float16, .int8, .int64, .bool] {
      let x = Tensor(element, shape, integers: (0..<Int64(shape.count)).map { $0 % 5 })
      try expectAgreement(op, [x] + operands, tolerance: 0)
    }
  }

  /// Behind a pool, images of integers lie channels-last.
  @Test(arguments: moving.indices) func movedIntegersAgreeInEveryLayout(index: Int) throws {
    var samples = Samples(UInt64(index) &+ 300)
    let (op, operands) = Self.moving[index]
    let scale = QuantizationParameters(scale: 1 / 64, zeroPoint: 5)
    var graph = Graph()
    let image = try samples.tensor([1, 4, 3, 6])
    let x = try graph.addInput("x", image.type)
    let integers = try graph.appendOne(Quantize(), named: "q", to: [x], quantizedAs: scale)
    let pooled = try graph.appendOne(
      MaxPool(kernel: [1, 1], window: Window()), named: "pool", to: [integers], quantizedAs: scale)
    for (name, source) in [("plain", integers), ("pooled", pooled)] {
      let ids: [ValueID?] = operands.enumerated().map { (place, operand) in
        operand.map { graph.addConstant($0, named: "\(name)\(place)") }
      }
      let count = try op.infer(graph.facts([x] + ids)).count
      let outputs = try graph.append(
        op, named: name, to: [source] + ids,
        quantizedAs: [QuantizationParameters?](repeating: scale, count: count))
      for (place, output) in outputs.enumerated() {
        try graph.addOutput("\(name).\(place)", output)
        let again = try graph.appendOne(
          Dequantize(), named: "\(name).\(place).float", to: [output])
        try graph.addOutput("\(name).\(place).float", again)
      }
    }
    let expected = try ReferenceExecutor(graph).run([image])
    for threads in [1, 3] {
      var runner = ModelRunner(graph, options: PlanOptions(threads: threads))
      for _ in 0..<2 {
        for (computed, wanted) in zip(try runner.run([image]), expected) {
          #expect(computed.type == wanted.type)
          #expect(computed.integers() == wanted.integers())
        }
      }
    }
  }

  @Test func joinedTensorsAgree() throws {
    var samples = Samples(6)
    for axis in 0..<3 {
      var extents = [2, 3, 4]
      let a = try samples.tensor(extents)
      extents[axis] = 5
      let b = try samples.tensor(extents)
      try expectAgreement(Concat(axis: axis), [a, b, a], variables: [1], tolerance: 0)
    }
  }

  @Test(arguments: [[2], [-1, 0], [1], [0, 1, 2], [], [0, 2]])
  func reductionsAgree(axes: [Int]) throws {
    var samples = Samples(7)
    let operands: [Tensor?] = [
      try samples.tensor([3, 4, 5]),
      axes.isEmpty ? nil : Tensor(vector: axes.map { Int64($0) }),
    ]
    for keep in [true, false] {
      func expect<Op: ReductionOperator>(_ op: Op) throws {
        var op = op
        op.keepDimensions = keep
        try expectAgreement(op, operands)
      }
      try expect(ReduceSum())
      try expect(ReduceMean())
      try expect(ReduceMax())
      try expect(ReduceMin())
      try expect(ReduceL1())
      try expect(ReduceL2())
      try expect(ReduceSumSquare())
      try expect(ReduceLogSumExp())
      try expect(ReduceProd())
    }
  }

  @Test func anIndexThatIsNotThereIsAnError() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [3]))
    let index = try graph.addInput("index", TensorType(.int64, [1]))
    try graph.addOutput("y", try graph.appendOne(Gather(axis: 0), named: "y", to: [x, index]))
    var runner = ModelRunner(graph)
    #expect(code { _ = try runner.run([counting(3), integers(3)]) } == .invalidValue)
    #expect(try runner.run([counting(3), integers(-3)]) == [counting(1)])
  }
}
