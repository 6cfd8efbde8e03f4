import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Planned float kernels against their references.
@Suite struct PlannedKernelTests {
  @Test(arguments: 0..<24) func matrixProducts(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    let (m, n, k) = (
      samples.pick([1, 2, 3, 40, 300]), samples.pick([1, 5, 130, 600]), samples.pick([1, 7, 65])
    )
    let (ta, tb) = (samples.integer(0...1) == 0, samples.integer(0...1) == 0)
    let a = try samples.tensor(ta ? [k, m] : [m, k])
    let b = try samples.tensor(tb ? [n, k] : [k, n])
    let c = try samples.pick(
      [nil, [n], [m, 1], [m, n], [1]].map { try $0.map { try samples.tensor($0) } })
    try expectAgreement(
      Gemm(
        transposeA: ta, transposeB: tb, alpha: samples.pick([1, 0.5]),
        beta: samples.pick([1, 2]), epilogue: Epilogue(samples.pick([.none, .relu, .tanh]))),
      [a, b, c])
    let x = try samples.tensor([2, m, k])
    try expectAgreement(
      Linear(transposeWeight: tb, epilogue: Epilogue(.prelu)),
      [x, b, try samples.tensor([n]), try samples.tensor([2, m, n]), try samples.tensor([n])])
    try expectAgreement(MatMul(), [x, try samples.tensor([k, n])])
  }

  @Test(arguments: [
    ([2, 3, 4, 5], [5, 6]), ([3, 1, 4, 5], [2, 5, 6]), ([5], [3, 5, 2]), ([4, 5], [5]),
    ([5], [5]), ([1, 4, 5], [3, 5, 6]),
  ]) func broadcastProducts(a: [Int], b: [Int]) throws {
    var samples = Samples(3)
    try expectAgreement(
      MatMul(), [try samples.tensor(a), try samples.tensor(b)], variables: [1])
  }

  @Test(arguments: [
    ("bhd,hsd->bhs", [3, 4, 5], [4, 6, 5]), ("ij,jk", [3, 4], [4, 5]),
    ("bij,bjk->bik", [2, 3, 4], [2, 4, 5]), ("...ij,...jk->...ik", [2, 2, 3, 4], [2, 2, 4, 5]),
    ("i,j->ij", [3], [4]), ("i,i->", [5], [5]), ("bhqd,bkhd->bkhq", [2, 3, 4, 5], [2, 6, 3, 5]),
    ("ii,ij->j", [3, 3], [3, 4]), ("ij,k->i", [3, 4], [5]), ("abc,cd->dba", [2, 3, 4], [4, 5]),
  ]) func einsteinSums(equation: String, a: [Int], b: [Int]) throws {
    var samples = Samples(4)
    try expectAgreement(
      Einsum(equation), [try samples.tensor(a), try samples.tensor(b)], variables: [1])
  }

  @Test(arguments: 0..<20) func pools(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    let rank = samples.integer(1...3)
    let kernel = (0..<rank).map { _ in samples.integer(1...3) }
    let window = Window(
      strides: (0..<rank).map { _ in samples.integer(1...3) },
      dilations: (0..<rank).map { _ in samples.integer(1...2) },
      pads: (0..<2 * rank).map { _ in samples.integer(0...1) })
    let x = try samples.tensor([2, 3] + (0..<rank).map { _ in samples.integer(5...9) })
    let ceiling = samples.integer(0...1) == 0
    for indices in [false, true] {
      try expectAgreement(
        MaxPool(kernel: kernel, window: window, ceiling: ceiling, indices: indices), [x])
    }
    try expectAgreement(
      AveragePool(
        kernel: kernel, window: window, ceiling: ceiling,
        countsPadding: samples.integer(0...1) == 0), [x])
    try expectAgreement(GlobalAveragePool(), [x])
    try expectAgreement(GlobalMaxPool(), [x])
  }

  @Test func greatestNumbersAreTheFirstOfEqualsOrNone() throws {
    let row = [.nan, 1, -.infinity, -.infinity, 2, 2, .nan, .nan] as [Float]
    let x = Tensor(try Shape([1, 1, 8]), row)
    let pads = Window(strides: [2], pads: [2, 0])
    for window in [Window(strides: [2]), pads] {
      try expectAgreement(MaxPool(kernel: [2], window: window, indices: true), [x])
    }
    #expect(
      try evaluate(MaxPool(kernel: [2], window: pads, indices: true), x)[1].integers()
        == [-1, 0, 2, 4, 7])
  }

  /// Of floats that are set or summed; places may come twice, and count from the end.
  @Test(
    arguments: [
      ([7], 0, [5]), ([3, 4], 0, [6, 4]), ([3, 4], 1, [3, 2]), ([2, 5, 3], 1, [2, 7, 3]),
      ([2, 5, 3], 1, [1, 7, 2]), ([2, 5, 3], -1, [2, 5, 1]),
    ] as [([Int], Int, [Int])])
  func scattering(shape: [Int], axis: Int, updates: [Int]) throws {
    var samples = Samples(7)
    let extent = shape[axis < 0 ? axis + shape.count : axis]
    let x = try samples.tensor(shape)
    let values = try samples.tensor(updates)
    let places = (0..<values.count).map { _ in samples.integer(-extent...extent - 1) }
    for reduction in [ScatterReduction.none, .add, .max] {
      for wide in [true, false] {
        let indices =
          wide
          ? Tensor(values.shape, places.map { Int64($0) })
          : Tensor(values.shape, places.map { Int32($0) })
        try expectAgreement(
          ScatterElements(axis: axis, reduction: reduction), [x, indices, values],
          variables: [0, 2], tolerance: 0)
      }
    }
    let beyond = Tensor(values.shape, [Int64](repeating: Int64(extent), count: values.count))
    #expect(throws: ModelError.self) {
      try evaluate(ScatterElements(axis: axis), x, beyond, values)
    }
  }

  @Test(arguments: [[4, 6], [2, 6, 5], [3, 6, 4, 7], [1, 6, 40, 50]])
  func normalisations(shape: [Int]) throws {
    var samples = Samples(5)
    let x = try samples.tensor(shape)
    let channel = try (0..<4).map { _ in try samples.tensor([6]) }
    let variance = Tensor(channel[3].shape, channel[3].floats().map { abs($0) + 0.1 })
    try expectAgreement(
      BatchNormalization(epsilon: 1e-3), [x, channel[0], channel[1], channel[2], variance])
    try expectAgreement(InstanceNormalization(epsilon: 1e-3), [x, channel[0], channel[1]])
    try expectAgreement(
      GroupNormalization(groups: 2), [x, channel[0], channel[1]], tolerance: 1e-3)
    let pair = try [samples.tensor([2]), samples.tensor([2])]
    try expectAgreement(
      GroupNormalization(groups: 2, scalesGroups: true), [x] + pair, tolerance: 1e-3)
    for axis in 1..<shape.count {
      let scale = try samples.tensor(Array(shape[axis...]))
      let bias = try samples.tensor(Array(shape[axis...]))
      try expectAgreement(LayerNormalization(axis: axis), [x, scale, bias], tolerance: 1e-3)
      try expectAgreement(LayerNormalization(axis: axis), [x, scale], tolerance: 1e-3)
      try expectAgreement(RMSNormalization(axis: axis), [x, scale])
    }
    for axis in 0..<shape.count {
      try expectAgreement(Softmax(axis: axis), [x])
      try expectAgreement(LogSoftmax(axis: axis), [x])
    }
  }

  @Test(arguments: Resize.Mode.allCases, Resize.Coordinates.allCases)
  func resampling(mode: Resize.Mode, coordinates: Resize.Coordinates) throws {
    var samples = Samples(6)
    let x = try samples.tensor([2, 3, 5, 7])
    for (h, w) in [(10, 14), (3, 20), (5, 4)] {
      for antialias in [false, mode != .nearest] {
        var op = Resize(mode, coordinates: coordinates)
        op.antialias = antialias
        op.excludesOutside = mode == .cubic && antialias
        op.extrapolation = 0.25
        let roi = try tensor([8], [0, 0, -0.1, 0.2, 1, 1, 0.9, 1.3])
        let sizes = Tensor(vector: [Int64(2), 3, Int64(h), Int64(w)])
        try expectAgreement(op, [x, roi, nil, sizes])
        op.axes = [-1, 2]
        let scales = try tensor([2], [Float(w) / 7, Float(h) / 5])
        try expectAgreement(op, [x, nil, scales])
      }
    }
  }

  @Test(arguments: Recurrence.Direction.allCases, [1, 2, 5])
  func recurrentLayers(direction: Recurrence.Direction, batch: Int) throws {
    var samples = Samples(UInt64(batch))
    for batchFirst in [false, true] {
      var recurrence = Recurrence()
      recurrence.direction = direction
      recurrence.batchFirst = batchFirst
      let (d, time, features, hidden) = (direction.count, 6, 4, 5)
      let x = try samples.tensor(batchFirst ? [batch, time, features] : [time, batch, features])
      func operands(_ gates: Int) throws -> [Tensor?] {
        [
          x, try samples.tensor([d, gates * hidden, features]),
          try samples.tensor([d, gates * hidden, hidden]),
          try samples.tensor([d, 2 * gates * hidden]), nil,
          try samples.tensor(batchFirst ? [batch, d, hidden] : [d, batch, hidden]),
        ]
      }
      try expectAgreement(RNN(recurrence), try operands(1))
      try expectAgreement(RNN(recurrence), Array(try operands(1).prefix(3)))
      for resetsAfter in [false, true] {
        try expectAgreement(GRU(recurrence, resetsAfter: resetsAfter), try operands(3))
      }
      let four = try operands(4)
      try expectAgreement(LSTM(recurrence), four + [four[5]])
      var rounding = recurrence
      rounding.roundsActivations = true
      try expectAgreement(LSTM(rounding), four + [four[5]])
      let lengths = Tensor(vector: (0..<batch).map { Int32(min(time, 2 + $0)) })
      var cut = four
      cut[4] = lengths
      try expectAgreement(LSTM(recurrence), cut)
    }
  }

  /// Layers whose recurrent weights are multiplied in several pieces.
  @Test(arguments: [1, 3]) func wideRecurrences(batch: Int) throws {
    var samples = Samples(7)
    let (time, features, hidden) = (4, 6, 250)
    func operands(_ gates: Int) throws -> [Tensor?] {
      [
        try samples.tensor([time, batch, features]),
        try samples.tensor([1, gates * hidden, features]),
        try samples.tensor([1, gates * hidden, hidden]),
        try samples.tensor([1, 2 * gates * hidden]),
      ]
    }
    for resetsAfter in [false, true] {
      try expectAgreement(GRU(Recurrence(), resetsAfter: resetsAfter), try operands(3))
    }
    try expectAgreement(LSTM(Recurrence()), try operands(4))
  }

  @Test(arguments: 0..<16) func attention(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    var op = Attention()
    let (batch, size, width) = (2, 4, samples.integer(3...5))
    let few = samples.pick([1, 2])
    let heads = few * samples.pick([1, 3])
    let (queries, keys) = (samples.pick([1, 5, 150]), samples.pick([1, 6, 9]))
    op.causal = samples.integer(0...2) == 0
    op.softcap = samples.pick([0, 2])
    if samples.integer(0...2) == 0 { op.leftWindow = 2 }
    let flat = samples.integer(0...1) == 0
    if flat { (op.queryHeads, op.keyHeads) = (heads, few) }
    func operand(_ heads: Int, _ length: Int, _ size: Int) throws -> Tensor {
      try samples.tensor(flat ? [batch, length, heads * size] : [batch, heads, length, size])
    }
    var operands: [Tensor?] = [
      try operand(heads, queries, size), try operand(few, keys, size),
      try operand(few, keys, width),
    ]
    switch samples.integer(0...2) {
    case 0: break
    case 1: operands.append(try samples.tensor([queries, keys]))
    default:
      let shape = try Shape([batch, 1, queries, keys])
      operands.append(Tensor(shape, (0..<shape.count).map { _ in samples.integer(0...2) > 0 }))
    }
    try expectAgreement(op, operands, variables: [1, 2, 3])
  }
}
