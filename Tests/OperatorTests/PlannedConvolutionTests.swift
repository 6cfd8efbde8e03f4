import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Convolutions of every sort against their references.
@Suite struct PlannedConvolutionTests {
  struct Case {
    let x: Tensor
    let w: Tensor
    let groups: Int
    let window: Window
    let epilogue: Epilogue
    var operands: [Tensor?]
  }

  /// A convolution whose every attribute depends on `seed`.
  func sample(_ seed: Int, transposed: Bool) throws -> Case {
    var samples = Samples(UInt64(seed) &* 77 &+ (transposed ? 1 : 0))
    let rank = samples.pick([1, 2, 2, 2, 3])
    let groups = samples.pick([1, 1, 1, 2, 3])
    let depthwise = samples.integer(0...4) == 0
    let c = groups * (depthwise ? 1 : samples.integer(1...5))
    let m = groups * samples.integer(1...6)
    let kernel = (0..<rank).map { _ in samples.pick([1, 2, 3, 3]) }
    let window = Window(
      strides: (0..<rank).map { _ in samples.pick([1, 1, 2, 3]) },
      dilations: (0..<rank).map { _ in samples.pick([1, 1, 2]) },
      pads: (0..<2 * rank).map { _ in transposed ? 0 : samples.integer(0...2) })
    let extents = (0..<rank).map { _ in
      samples.integer(transposed ? 1...7 : 5...(rank == 2 ? 19 : 9))
    }
    let x = try samples.tensor([samples.integer(1...3), c] + extents)
    let w = try samples.tensor(transposed ? [c, m / groups] + kernel : [m, c / groups] + kernel)
    let activation = samples.pick(Activation.allCases)
    let epilogue = Epilogue(activation, alpha: 0.2, lower: -0.3, upper: 0.4)
    var operands: [Tensor?] = [x, w]
    operands.append(samples.integer(0...1) == 0 ? nil : try samples.tensor([m]))
    let plain: any Operator =
      transposed
      ? TransposedConvolution(groups: groups, window: window)
      : Convolution(groups: groups, window: window)
    let shape = try plain.types([x.type, w.type])[0].shape
    let residual = samples.integer(0...1) == 0
    operands.append(residual ? nil : try samples.tensor(try #require(shape).dimensions))
    if activation == .prelu { operands.append(try samples.tensor([samples.pick([1, m])])) }
    return Case(
      x: x, w: w, groups: groups, window: window, epilogue: epilogue, operands: operands)
  }

  @Test(arguments: 0..<60) func convolutionsAgree(seed: Int) throws {
    let sample = try sample(seed, transposed: false)
    try expectAgreement(
      Convolution(groups: sample.groups, window: sample.window, epilogue: sample.epilogue),
      sample.operands)
  }

  @Test(arguments: 0..<60) func transposedConvolutionsAgree(seed: Int) throws {
    let sample = try sample(seed, transposed: true)
    var samples = Samples(UInt64(seed))
    let padding = sample.window.strides.map { samples.integer(0...$0 - 1) }
    try expectAgreement(
      TransposedConvolution(
        groups: sample.groups, window: sample.window,
        outputPadding: samples.integer(0...1) == 0 ? [] : padding, epilogue: .init()),
      Array(sample.operands.prefix(3)))
    var window = sample.window
    if samples.integer(0...1) == 0 { window.autoPad = .sameUpper }
    if sample.operands.count > 3, sample.operands[3] != nil, window.autoPad != .explicit { return }
    try expectAgreement(
      TransposedConvolution(groups: sample.groups, window: window, epilogue: sample.epilogue),
      sample.operands)
  }

  /// Wide enough for several tiles, deep enough for several blocks.
  @Test(arguments: [(1, 3, 40), (2, 16, 33), (40, 8, 5), (1, 100, 6)])
  func tilesAgree(batch: Int, channels: Int, extent: Int) throws {
    var samples = Samples(UInt64(extent))
    let x = try samples.tensor([batch, channels, extent, extent])
    let w = try samples.tensor([70, channels, 3, 3])
    let window = Window(pads: [1, 1, 1, 1])
    try expectAgreement(
      Convolution(window: window, epilogue: Epilogue(.relu)), [x, w, try samples.tensor([70])])
    let pointwise = try samples.tensor([70, channels, 1, 1])
    try expectAgreement(Convolution(), [x, pointwise])
    let up = try samples.tensor([channels, 5, 3, 3])
    try expectAgreement(
      TransposedConvolution(
        window: Window(strides: [2, 2], pads: [1, 1, 1, 1]), outputPadding: [1, 1]), [x, up])
  }
}
