import ModelIR
import ModelKernels
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// Builds graphs of quantized operators from a seed.
private struct Builder {
  var graph = Graph()
  var inputs: [Tensor] = []
  private var numbers: RepeatableNumbers
  private var names = 0

  init(_ seed: Int) { numbers = RepeatableNumbers(seed: UInt64(seed)) }

  mutating func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &numbers) }
  mutating func float() -> Float { Float(2 * numbers.fraction() - 1) }
  mutating func pick<Element>(_ list: [Element]) -> Element { list[integer(0...list.count - 1)] }
  mutating func flag() -> Bool { integer(0...1) == 1 }
  mutating func name() -> String {
    names += 1
    return "v\(names)"
  }

  mutating func parameters() -> QuantizationParameters {
    QuantizationParameters(
      scale: 0.01 * (1.5 + float()), zeroPoint: Int32(integer(-128...127)))
  }

  /// A float32 graph input.
  mutating func input(_ dimensions: [Int]) throws -> ValueID {
    let shape = try Shape(dimensions)
    inputs.append(Tensor(shape, (0..<shape.count).map { _ in 1.5 * float() }))
    return try graph.addInput(name(), TensorType(.float32, shape))
  }

  mutating func quantized(_ dimensions: [Int]) throws -> ValueID {
    let x = try input(dimensions)
    return try append(Quantize(), [x])
  }

  mutating func append(
    _ op: any Operator, _ operands: [ValueID?], _ parameters: QuantizationParameters? = nil
  ) throws -> ValueID {
    let own = self.parameters()
    return try graph.appendOne(
      op, named: name(), to: operands, quantizedAs: parameters ?? own)
  }

  /// Weights and bias for a layer that reads `x`.
  mutating func weights(
    _ dimensions: [Int], axis: Int, repeats: Int = 1, for x: ValueID
  ) throws -> (weight: ValueID, bias: ValueID) {
    let weight = try scaled(dimensions, axis: axis)
    let scales = graph.type(weight).quantization?.scales ?? []
    let input = graph.type(x).quantization?.scale ?? 1
    let channels = dimensions[axis] * repeats
    let biasScales = (0..<channels).map { input * scales[$0 % scales.count] }
    let bias = Tensor(
      try Shape([channels]), (0..<channels).map { _ in Int32(integer(-9999...9999)) },
      quantization: QuantizationParameters(perChannel: biasScales, axis: 0))
    return (weight, graph.addConstant(bias, named: name()))
  }

  /// Constant integers with a scale for each index along `axis`.
  mutating func scaled(_ dimensions: [Int], axis: Int) throws -> ValueID {
    try scaled(dimensions, axis: axis, by: 0.004) { Int8($0.integer(-127...127)) }
  }

  mutating func scaledWide(_ dimensions: [Int], axis: Int) throws -> ValueID {
    try scaled(dimensions, axis: axis, by: 0.004 / 256) { Int16($0.integer(-32_768...32_767)) }
  }

  private mutating func scaled<T: TensorScalar>(
    _ dimensions: [Int], axis: Int, by scale: Float, _ value: (inout Builder) -> T
  ) throws -> ValueID {
    let shape = try Shape(dimensions)
    let scales = (0..<shape[axis]).map { _ in scale * (1.5 + float()) }
    let values = (0..<shape.count).map { _ in value(&self) }
    return graph.addConstant(
      Tensor(
        shape, values, quantization: QuantizationParameters(perChannel: scales, axis: axis)),
      named: name())
  }

  mutating func slope(_ channels: Int) throws -> ValueID {
    let values = (0..<channels).map { _ in float() }
    return graph.addConstant(Tensor(try Shape([channels]), values), named: name())
  }

  /// A layer of random epilogue, with int8 or float32 output, or with float32 output of which a Quantize makes int8.
  mutating func layer(
    _ x: ValueID, channels: Int, dimensions: [Int], _ weight: ValueID, _ bias: ValueID,
    make: (Epilogue) -> any Operator
  ) throws -> ValueID {
    let activation = pick([Activation.none, .relu, .leakyRelu, .prelu] + Activation.allCases)
    var operands: [ValueID?] = [x, weight, flag() ? bias : nil, nil, nil]
    let op = make(Epilogue(activation, alpha: 0.1, lower: -0.4, upper: 0.7))
    if activation == .prelu { operands[4] = try slope(channels) }
    let isFloat = flag()
    if flag() {
      let bare: [ValueID?] = [x, weight, nil]
      let type = try Graph.infer(make(Epilogue()), graph.facts(bare), quantizedAs: [])[0]
      let extents = type.shape?.dimensions ?? dimensions
      operands[3] = isFloat && flag() ? try input(extents) : try quantized(extents)
    }
    while let last = operands.last, last == nil { operands.removeLast() }
    guard isFloat else { return try append(op, operands) }
    let made = try graph.appendOne(op, named: name(), to: operands)
    return flag() ? try append(Quantize(), [made]) : made
  }

  /// Compares plans of every tier and some thread counts with the integer reference.
  mutating func check(_ results: [ValueID], _ comment: String, isLayer: Bool = false) throws {
    for (index, result) in results.enumerated() { try graph.addOutput("y\(index)", result) }
    let expected = try ReferenceExecutor(graph).run(inputs)
    for tier in KernelTier.available {
      for threads in [1, 3] {
        var runner = ModelRunner(graph, options: PlanOptions(tier: tier, threads: threads))
        let computed = try runner.run(inputs)
        let isExact = computed == expected
        #expect(isExact, "\(comment), \(tier), \(threads) threads")
        if isLayer { #expect(try runner.plan(inputs)?.multiplyAccumulates != 0) }
      }
    }
  }

  mutating func window(_ rank: Int) -> Window {
    Window(
      strides: (0..<rank).map { _ in integer(1...2) },
      dilations: (0..<rank).map { _ in integer(1...2) },
      pads: (0..<2 * rank).map { _ in integer(0...2) })
  }
}

@Suite struct IntegerKernelTests {
  @Test(arguments: 0..<24) func convolutions(seed: Int) throws {
    var builder = Builder(seed)
    let rank = builder.integer(1...3)
    let groups = builder.pick([1, 1, 2, 3])
    let isDepthwise = groups > 1 && builder.flag()
    let depth = isDepthwise ? 1 : builder.integer(1...9)
    let filters = groups * (isDepthwise ? 1 : builder.integer(1...20))
    let kernel = (0..<rank).map { _ in builder.integer(1...3) }
    let window = builder.window(rank)
    let dimensions =
      [builder.integer(1...2), groups * depth] + (0..<rank).map { _ in builder.integer(5...8) }
    let x = try builder.quantized(dimensions)
    let (w, b) = try builder.weights([filters, depth] + kernel, axis: 0, for: x)
    let y = try builder.layer(x, channels: filters, dimensions: dimensions, w, b) {
      Convolution(groups: groups, window: window, epilogue: $0)
    }
    try builder.check([y], "rank \(rank), \(groups) groups", isLayer: true)
  }

  /// Threads have positions of their own where channels are few.
  @Test func largeImagesOfFewChannels() throws {
    var builder = Builder(31)
    let x = try builder.quantized([2, 3, 120, 120])
    let (w, b) = try builder.weights([5, 3, 1, 1], axis: 0, for: x)
    let window = Window(strides: [1, 1], dilations: [1, 1], pads: [0, 0, 0, 0])
    let integers = try builder.append(Convolution(window: window), [x, w, b])
    let real = try builder.graph.appendOne(Dequantize(), named: "real", to: [integers])
    let floats = try builder.graph.appendOne(
      Convolution(window: window), named: "floats", to: [x, w, b])
    try builder.check([real, integers, floats], "few channels")
  }

  /// One kernel makes the integers, but not where somebody watches.
  @Test func layersStoreWhatIsQuantizedAtOnce() throws {
    var builder = Builder(5)
    let x = try builder.quantized([1, 4, 6, 6])
    let (w, b) = try builder.weights([40, 4, 3, 3], axis: 0, for: x)
    let made = try builder.graph.appendOne(
      Convolution(window: Window(strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1])),
      named: "made", to: [x, w, b])
    try builder.graph.addOutput("y", try builder.append(Quantize(), [made]))
    var runner = ModelRunner(builder.graph)
    let plain = try runner.run(builder.inputs)
    let alone = try runner.profile(builder.inputs).map(\.operatorName)
    #expect(alone == ["Quantize", "Conv", "LayoutConversion"])
    var seen: [ValueID] = []
    let watched = try runner.run(builder.inputs) { (id, _) in seen.append(id) }
    #expect(seen.contains(made) && watched == plain)
    #expect(try runner.profile(builder.inputs).count == 4)
  }

  /// The same where the floats are read, too.
  @Test(arguments: [1, 4]) func layersStoreFloatsAndTheirIntegers(groups: Int) throws {
    var builder = Builder(6)
    let x = try builder.quantized([1, 4, 6, 6])
    let filters = groups == 1 ? 40 : 4
    let (w, b) = try builder.weights([filters, 4 / groups, 3, 3], axis: 0, for: x)
    let made = try builder.graph.appendOne(
      Convolution(
        groups: groups, window: Window(strides: [1, 1], dilations: [1, 1], pads: [1, 1, 1, 1])),
      named: "made", to: [x, w, b])
    try builder.graph.addOutput("real", made)
    try builder.graph.addOutput("y", try builder.append(Quantize(), [made]))
    var runner = ModelRunner(builder.graph)
    let together = try runner.run(builder.inputs)
    let steps = try runner.profile(builder.inputs).map(\.operatorName)
    #expect(steps == ["Quantize", "Conv", "LayoutConversion", "LayoutConversion"])
    let apart = try runner.run(builder.inputs) { (_, _) in }
    #expect(apart == together)
  }

  /// Every third input has axes of one position.
  @Test(arguments: 0..<30) func transposedConvolutions(seed: Int) throws {
    var builder = Builder(seed)
    let isPoint = seed % 3 == 2
    let rank = builder.integer(1...3)
    let groups = builder.pick([1, 1, 2])
    let (depth, filters) = (builder.integer(1...7), builder.integer(1...9))
    let kernel = (0..<rank).map { _ in builder.integer(1...4) }
    let window = Window(
      strides: (0..<rank).map { _ in builder.integer(1...3) },
      dilations: (0..<rank).map { _ in builder.integer(1...2) },
      pads: (0..<2 * rank).map { _ in isPoint ? 0 : builder.integer(0...1) })
    let dimensions =
      [builder.integer(1...2), groups * depth]
      + (0..<rank).map { _ in isPoint && builder.flag() ? 1 : builder.integer(3...5) }
    let x = try builder.quantized(dimensions)
    let (w, b) = try builder.weights(
      [groups * depth, filters] + kernel, axis: 1, repeats: groups, for: x)
    let y = try builder.layer(x, channels: groups * filters, dimensions: dimensions, w, b) {
      TransposedConvolution(groups: groups, window: window, epilogue: $0)
    }
    try builder.check([y], "rank \(rank), \(groups) groups, \(kernel), \(window)", isLayer: true)
  }

  @Test(arguments: 0..<10) func linearLayers(seed: Int) throws {
    var builder = Builder(seed)
    let transposes = builder.flag()
    let (k, n) = (builder.integer(1...70), builder.integer(1...70))
    let dimensions = (0..<builder.integer(0...2)).map { _ in builder.integer(1...9) } + [k]
    let x = try builder.quantized(dimensions)
    let (w, b) = try builder.weights(
      transposes ? [n, k] : [k, n], axis: transposes ? 0 : 1, for: x)
    let y = try builder.layer(x, channels: n, dimensions: dimensions, w, b) {
      Linear(transposeWeight: transposes, epilogue: $0)
    }
    try builder.check([y], "\(dimensions) by \(n)", isLayer: true)
  }

  @Test(arguments: [
    ([3, 4], [4, 5]), ([2, 3, 70, 33], [2, 3, 33, 65]), ([5, 1, 8], [8, 3]),
    ([2, 1, 4, 6], [3, 6, 7]),
    ([6], [6, 2]), ([3, 6], [6]), ([40], [40]), ([2, 3, 1], [2, 1, 9]),
  ]) func products(a: [Int], b: [Int]) throws {
    for isFloat in [false, true] {
      var builder = Builder(a.count + 7 * b.count)
      let (x, z) = (try builder.quantized(a), try builder.quantized(b))
      let y =
        isFloat
        ? try builder.graph.appendOne(MatMul(), named: "y", to: [x, z])
        : try builder.append(MatMul(), [x, z])
      try builder.check([y], "\(a) by \(b)", isLayer: true)
    }
  }

  @Test(arguments: 0..<16) func recurrentLayers(seed: Int) throws {
    var builder = Builder(seed)
    var recurrence = Recurrence()
    recurrence.direction = builder.pick([.forward, .reverse, .bidirectional])
    recurrence.batchFirst = builder.flag()
    let isGated = seed % 2 == 0
    let op: any Operator =
      isGated
      ? GRU(recurrence, resetsAfter: true) : LSTM(recurrence, couplesForget: builder.flag())
    let rows = isGated ? 3 : 4
    let (directions, hidden) = (recurrence.direction.count, builder.integer(1...20))
    let (time, batch, features) = (
      builder.integer(1...5), builder.integer(1...3), builder.integer(1...30)
    )
    let x = try builder.quantized(
      (recurrence.batchFirst ? [batch, time] : [time, batch]) + [features])
    let (w, _) = try builder.weights([directions, rows * hidden, features], axis: 1, for: x)
    let (r, _) = try builder.weights([directions, rows * hidden, hidden], axis: 1, for: x)
    var operands: [ValueID?] = [x, w, r]
    if builder.flag() {
      let bias = try Shape([directions, 2 * rows * hidden])
      let values = (0..<bias.count).map { _ in builder.float() }
      operands.append(builder.graph.addConstant(Tensor(bias, values), named: "bias"))
    } else {
      operands.append(nil)
    }
    if builder.flag() {
      let state =
        recurrence.batchFirst ? [batch, directions, hidden] : [directions, batch, hidden]
      operands += [nil, try builder.input(state)]
    }
    let y = builder.parameters()
    let made = try builder.graph.append(
      op, named: "recurrent", to: operands, quantizedAs: builder.flag() ? [y] : [])
    try builder.check(made, "\(op)", isLayer: true)
  }

  @Test(arguments: [
    ([2, 3, 4, 5], [2, 3, 4, 5]), ([2, 3, 4, 5], [2, 3, 1, 1]), ([3, 1, 1], [2, 3, 4, 5]),
    ([2, 3, 4, 5], [5]), ([2, 1, 4, 1], [1, 3, 1, 5]), ([7], [7]), ([2, 3, 4, 5], [1]),
    ([1, 3, 40, 50], [1, 3, 40, 50]), ([4, 1], [1, 6]),
  ]) func binaryOperators(a: [Int], b: [Int]) throws {
    for op in [Add(), Sub(), Mul()] as [any Operator] {
      var builder = Builder(a.count + b.count)
      let (x, z) = (try builder.quantized(a), try builder.quantized(b))
      let plain = try builder.append(op, [x, z])
      // The same among channels-last neighbours.
      var results = [plain]
      if builder.graph.type(plain).rank == 4, a.count == 4 {
        let pool = MaxPool(kernel: [1, 1])
        let p = try builder.append(pool, [x], builder.graph.type(x).quantization)
        let sum = try builder.append(op, [p, z])
        results.append(try builder.append(pool, [sum], builder.graph.type(sum).quantization))
      }
      try builder.check(results, "\(type(of: op).name) of \(a) and \(b)")
    }
  }

  @Test(arguments: 0..<12) func pools(seed: Int) throws {
    var builder = Builder(seed)
    let rank = builder.integer(1...3)
    let kernel = (0..<rank).map { _ in builder.integer(2...3) }
    var window = builder.window(rank)
    window.pads = (0..<2 * rank).map { _ in builder.integer(0...1) }
    let x = try builder.quantized(
      [builder.integer(1...2), builder.pick([1, 5, 40])]
        + (0..<rank).map { _ in builder.integer(6...9) })
    let same = builder.graph.type(x).quantization
    let ceiling = builder.flag()
    let results = [
      try builder.append(MaxPool(kernel: kernel, window: window, ceiling: ceiling), [x], same),
      try builder.append(
        AveragePool(
          kernel: kernel, window: window, ceiling: ceiling, countsPadding: builder.flag()), [x]),
      try builder.append(GlobalAveragePool(), [x]),
      try builder.append(
        ReduceMax(), [x, builder.graph.addConstant(Tensor(vector: [-1] as [Int64]), named: "a")],
        same),
    ]
    try builder.check(results, "rank \(rank), \(kernel), \(window)")
  }

  /// Shares of which some round to nothing, because keys are long; zeros and numbers that are none among the queries.
  @Test(arguments: 0..<8) func memories(seed: Int) throws {
    var builder = Builder(seed)
    let heads = builder.integer(1...3)
    let slots = heads * builder.integer(1...40)
    let (width, outputs) = (builder.integer(1...70), builder.integer(1...70))
    let x = try builder.input([3, 2, heads * width])
    var query = builder.inputs[0].floats()
    for index in 0..<heads * width { query[index] = 0 }
    query[query.count - 1] = seed % 2 == 0 ? .nan : .infinity
    builder.inputs[0] = Tensor(builder.inputs[0].shape, query)
    let keys =
      seed % 4 < 2
      ? try builder.scaledWide([slots, width], axis: 0)
      : try builder.scaled([slots, width], axis: 0)
    let values = try builder.scaled([slots, outputs], axis: 1)
    let bias: [ValueID] = builder.flag() ? [try builder.slope(outputs)] : []
    let made = try builder.graph.append(
      MemoryRead(
        heads: heads, epsilon: 1e-12,
        leastShare: builder.flag() ? 0.5 * Float(heads) / Float(slots) : 0),
      named: "read", to: [x, keys, values] + bias,
      quantizedAs: builder.flag() ? [builder.parameters()] : [])
    try builder.check(made, "\(heads) heads, \(slots) slots", isLayer: true)
  }

  @Test(arguments: 0..<12) func resizes(seed: Int) throws {
    var builder = Builder(seed)
    let rank = builder.integer(1...2)
    let x = try builder.quantized(
      [2, builder.pick([1, 3, 40])] + (0..<rank).map { _ in builder.integer(2...6) })
    let shape = try #require(builder.graph.type(x).shape)
    let sizes = shape.dimensions.prefix(2) + (0..<rank).map { _ in builder.integer(1...9) }
    let target = builder.graph.addConstant(
      Tensor(vector: sizes.map { Int64($0) }), named: "sizes")
    let coordinates = builder.pick([
      Resize.Coordinates.halfPixel, .alignCorners, .asymmetric, .pytorchHalfPixel,
    ])
    let same = builder.graph.type(x).quantization
    let results = [
      try builder.append(Resize(.linear, coordinates: coordinates), [x, nil, nil, target]),
      try builder.append(Resize(.nearest, coordinates: coordinates), [x, nil, nil, target]),
      try builder.append(Resize(.nearest, coordinates: coordinates), [x, nil, nil, target], same),
    ]
    try builder.check(results, "\(shape) to \(sizes), \(coordinates)")
  }

  @Test(arguments: [0, 1, 2, 3]) func concatenations(axis: Int) throws {
    var builder = Builder(axis)
    let extents = [2, 3, 4, 5]
    var operands: [ValueID] = []
    for extent in [1, 4, 2] {
      var own = extents
      own[axis] = extent
      operands.append(try builder.quantized(own))
    }
    let same = builder.graph.type(operands[1]).quantization
    let joined = try builder.append(Concat(axis: axis), operands, same)
    let pooled = try builder.append(
      MaxPool(kernel: [1, 1]), [joined], builder.graph.type(joined).quantization)
    try builder.check([joined, pooled], "axis \(axis)")
  }

  @Test(arguments: [[300], [2, 5, 6], [2, 33, 4, 9], [1, 64, 20, 30]])
  func conversionsAndTables(dimensions: [Int]) throws {
    var builder = Builder(dimensions.count)
    let x = try builder.quantized(dimensions)
    let again = try builder.append(Quantize(), [x])
    let to = builder.parameters()
    let from = try #require(builder.graph.type(again).quantization)
    let table = builder.graph.addConstant(
      LookupTable.table(from: from, to: to) { $0 * $0 * $0 }, named: "table")
    let cubes = try builder.append(LookupTable(function: "cube"), [again, table], to)
    let real = try builder.graph.appendOne(Dequantize(), named: "real", to: [cubes])
    var results = [x, cubes, real]
    if dimensions.count >= 3 {
      let pool = MaxPool(kernel: [Int](repeating: 1, count: dimensions.count - 2))
      let pooled = try builder.append(pool, [cubes], to)
      results.append(try builder.graph.appendOne(Dequantize(), named: "pooled", to: [pooled]))
    }
    try builder.check(results, "\(dimensions)")
  }
}
