import ModelIR
import ModelOperators
import TensorCore
import Testing

/// What normalisations, pools, recurrent layers and attention refuse, by clause.
@Suite struct LayerRejectionTests {
  private func reject(
    _ clause: String, _ op: any Operator, _ types: [TensorType?],
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    expectRejection(clause, sourceLocation: sourceLocation) { () throws(ModelError) in
      _ = try op.types(types)
    }
  }

  private func float(_ dimensions: Dimension...) -> TensorType { TensorType(.float32, dimensions) }
  private func integer(_ dimensions: Dimension...) -> TensorType { TensorType(.int64, dimensions) }

  @Test func normalisations() {
    let (x, c) = (float(2, 6, 4), float(6))
    reject("BN1", BatchNormalization(), [integer(2, 6), c, c, c, c])
    reject("BN2", BatchNormalization(), [x, c, c, c, float(5)])
    reject("IN2", InstanceNormalization(), [x, c, float(4)])
    reject("GN2", GroupNormalization(groups: 4), [x, c, c])
    reject("GN3", GroupNormalization(groups: 2, scalesGroups: true), [x, c, c])
    reject("LY2", LayerNormalization(), [x, c])
    reject("RM2", RMSNormalization(), [x, c])
    reject("MV1", MeanVarianceNormalization(), [integer(2, 6, 4, 4)])
    reject("LR2", LRN(size: 0), [x])
    reject("SM1", LogSoftmax(), [integer(3)])
  }

  @Test func pools() {
    reject("PL1", AveragePool(kernel: [2]), [integer(1, 2, 8)])
    reject("PL2", MaxPool(kernel: [2, 2]), [float(1, 2, 8)])
    reject("PL3", LpPool(p: 0, kernel: [2]), [float(1, 2, 8)])
    reject("WN3", MaxPool(kernel: [9]), [float(1, 2, 8)])
    reject("MU2", MaxUnpool(kernel: [2, 2]), [float(1, 2, 8), integer(1, 2, 8)])
  }

  @Test func gradients() {
    let (x, y) = (float(1, 4, 8, 8), float(1, 6, 8, 8))
    let same = Window(pads: [1, 1, 1, 1])
    func op(groups: Int = 1, kernel: [Int] = [3, 3]) -> ConvolutionWeightGradient {
      ConvolutionWeightGradient(groups: groups, kernel: kernel, window: same)
    }
    reject("CW1", op(), [x, integer(1, 6, 8, 8)])
    reject("CW2", op(), [x, float(2, 6, 8, 8)])
    reject("CW2", op(kernel: [3]), [x, y])
    reject("CW2", op(kernel: [3, 0]), [x, y])
    reject("CW3", op(groups: 4), [x, y])
    reject("CW3", op(groups: 0), [x, y])
    reject("CW4", op(), [x, float(1, 6, 8, 7)])
    reject("BR1", Gate(), [integer(3), integer(3)])
    let resize = ResizeGradient(Resize(.linear), shape: [1, 2, 8])
    reject("RG1", resize, [integer(1, 2, 4), nil, nil, integer(3)])
    reject("RZ3", resize, [float(1, 2, 4), nil])
  }

  @Test func theGradientOfAResizeHasItsShape() throws {
    let sizes = Tensor(vector: [1, 2, 4] as [Int64])
    expectRejection("RG2") { () throws(ModelError) in
      _ = try ResizeGradient(Resize(.linear), shape: [1, 2, 8]).infer(
        Operands([Fact(float(1, 2, 5)), nil, nil, Fact(sizes)]))
    }
  }

  @Test func resampling() {
    let x = float(1, 2, 8)
    reject("RZ3", Resize(.linear), [x, nil])
    reject("RZ3", Resize(.linear), [x, nil, float(3), integer(3)])
    var op = Resize(.nearest)
    op.antialias = true
    reject("RZ2", op, [x, nil, float(3)])
    reject("GS2", GridSample(.linear), [float(1, 2, 8, 8), float(1, 4, 4, 3)])
  }

  @Test func recurrentLayers() {
    let (x, w, r) = (float(5, 1, 3), float(1, 12, 3), float(1, 12, 4))
    reject("RC1", GRU(), [x, TensorType(.float64, [1, 12, 3]), r])
    reject("RC2", GRU(), [x, w, float(1, 12, 5)])
    reject("RC3", GRU(), [x, w, r, float(1, 12)])
    reject("RC3", GRU(), [x, w, r, nil, integer(2)])
    var recurrence = Recurrence()
    recurrence.activations = ["Tanh"]
    reject("RC4", GRU(recurrence, resetsAfter: false), [x, w, r])
    recurrence.activations = ["Tanh", "Cosine"]
    reject("RC4", GRU(recurrence, resetsAfter: false), [x, w, r])
  }

  @Test func attention() {
    let q = float(1, 4, 5, 8)
    reject("AT1", Attention(), [integer(1, 4, 5, 8), q, q])
    reject("AT2", Attention(), [q, float(1, 4, 5, 7), q])
    reject("AT2", Attention(), [float(1, 5, 8), float(1, 5, 8), float(1, 5, 8)])
    reject("AT3", Attention(), [q, float(1, 3, 5, 8), float(1, 3, 5, 8)])
    reject("AT5", Attention(), [q, q, q, integer(5, 5)])
    reject("AT6", Attention(), [q, q, q, nil, q])
    reject("RE2", RotaryEmbedding(), [float(1, 5, 8), float(5, 4), float(5, 4), integer(1, 5)])
    reject("RE3", RotaryEmbedding(), [q, float(9, 3), float(9, 3), integer(1, 5)])
  }

  @Test func positionsAreInTheTable() throws {
    let (q, table) = (counting(1, 2, 3, 4), counting(5, 2))
    func rotated(_ positions: Int...) throws(ModelError) -> Tensor {
      let places = Tensor(try Shape([1, 3]), positions.map { Int64($0) })
      return try evaluate(RotaryEmbedding(), q, table, table, places)[0]
    }
    #expect(try rotated(0, 4, 2).shape == q.shape)
    for position in [5, Int.max, -1, Int.min] {
      expectRejection("RE4") { () throws(ModelError) in
        _ = try rotated(0, position, 2)
      }
    }
    let (x, half) = (float(1, 2, 3, 4), float(5, 2))
    reject("RE2", RotaryEmbedding(), [x, half, half, integer(1, 2)])
    reject("RE2", RotaryEmbedding(), [x, half, float(4, 2), integer(1, 3)])
  }

  @Test func attentionToNoKeysGivesZeros() throws {
    let q = counting(1, 1, 3, 4)
    for length in [0, -1, Int.min] {
      let y = try evaluate(Attention(), q, q, q, nil, nil, nil, integers(length))[0]
      #expect(y.floats().allSatisfy { $0 == 0 })
    }
    let x = float(2, 1, 3, 4)
    reject("AT2", Attention(), [x, x, x, nil, nil, nil, integer(1)])
  }

  /// The window is 2 × 2, the image 3 × 3 unless `extents` say otherwise.
  private func image(_ extents: [Int], kernel: [Int] = [2, 2]) throws -> [Tensor] {
    try evaluate(
      Col2Im(window: Window(pads: [1, 1, 1, 1])), counting(1, 4, 16),
      Tensor(vector: extents.map { Int64($0) }), Tensor(vector: kernel.map { Int64($0) }))
  }

  @Test func imagesOfColumnsHaveShapes() throws {
    #expect(try image([3, 3])[0].shape.dimensions == [1, 1, 3, 3])
    #expect(code { _ = try image([3, .min]) } == .invalidValue)
    #expect(code { _ = try image([3, .max]) } == .limitExceeded)
    #expect(code { _ = try image([1 << 30, 1 << 30]) } == .limitExceeded)
    #expect(code { _ = try image([3, 3], kernel: [2, .max]) } == .limitExceeded)
    let wide = Window(pads: [Int](repeating: 1 << 24, count: 32))
    let ones = Tensor(vector: [Int64](repeating: 1, count: 16))
    let one = counting(1, 1, 1)
    #expect(code { _ = try evaluate(Col2Im(window: wide), one, ones, ones) } == .limitExceeded)
  }

  private func aligned(
    _ region: [Float], scale: Float = 1, samples: Int = 0, image: Int64 = 0
  ) throws -> [Tensor] {
    var op = RoiAlign()
    (op.scale, op.samples) = (scale, samples)
    return try evaluate(
      op, counting(1, 2, 4, 4), floats(1, 4, values: region), Tensor(vector: [image]))
  }

  @Test func regionsHaveAFewPoints() throws {
    #expect(try aligned([0.5, 0.5, 2.5, 2.5])[0].floats() == [5, 21])
    #expect(try aligned([2, 2, 1, 1])[0].floats() == [0, 0])
    for number in [Float.nan, .infinity, -.infinity] {
      #expect(code { _ = try aligned([0, 0, number, 2]) } == .invalidValue)
    }
    #expect(code { _ = try aligned([0, 0, 2, 2], scale: .nan) } == .invalidValue)
    #expect(code { _ = try aligned([0, 0, 2, 2], image: 1) } == .invalidValue)
    #expect(code { _ = try aligned([0, 0, 3e38, 2]) } == .limitExceeded)
    #expect(code { _ = try aligned([0, 0, 5000, 5000]) } == .limitExceeded)
    for samples in [1 << 40, 1 << 13, Int.max] {
      #expect(code { _ = try aligned([0, 0, 2, 2], samples: samples) } == .limitExceeded)
    }
  }

  /// Values of `torch.nn.functional.grid_sample`.
  @Test(
    arguments: [
      (false, [-0.047999870, 1.8225002, 2.0216389, 1]),
      (true, [-0.25708792, 0.90807384, 2.1702965, 1]),
    ] as [(Bool, [Float])])
  func cubicPlacesBeyondTheBorderSeeTheNearestElements(
    alignCorners: Bool, expected: [Float]
  ) throws {
    let x = floats(1, 1, 3, 4, values: [0, 1, 4, 2, 2, 4, 1, 0, 1, 4, 2, 2])
    let grid = floats(1, 1, 4, 2, values: [-1.4, -1.2, 1.3, -0.6, 0.9, 1.25, -3, 4])
    let op = GridSample(.cubic, padding: .border, alignCorners: alignCorners)
    let y = try evaluate(op, x, grid)[0].floats()
    for (a, b) in zip(y, expected) { #expect(abs(a - b) < 1e-5) }
    let far = floats(1, 1, 2, 2, values: [-.infinity, .infinity, 1e30, -1e30])
    for (a, b) in zip(try evaluate(op, x, far)[0].floats(), [1, 2]) {
      #expect(abs(a - Float(b)) < 1e-5)
    }
  }

  @Test func sumsOfProducts() {
    let x = float(3, 4)
    reject("ES1", Einsum("i1,jk"), [x, x])
    reject("ES2", Einsum("ij"), [x, x])
    reject("ES3", Einsum("ijk,jk"), [x, x])
    reject("ES4", Einsum("ij,jk->il"), [x, float(4, 5)])
    reject("ES5", Einsum("ij,jk"), [x, integer(4, 5)])
    reject("ES6", Einsum("ij,jk"), [x, x])
  }
}
