import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Planned gradients against their references.
@Suite struct PlannedGradientTests {
  @Test(arguments: 0..<12) func weightsOfConvolutions(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    let groups = samples.pick([1, 1, 2])
    let (inputs, outputs) = (groups * samples.integer(1...9), groups * samples.integer(1...17))
    let extents = [samples.integer(5...40), samples.integer(5...40)]
    let kernel = [samples.integer(1...3), samples.integer(1...4)]
    let window = Window(
      strides: [samples.integer(1...2), samples.integer(1...2)],
      dilations: [1, samples.integer(1...2)], pads: samples.pick([[0, 0, 0, 0], [1, 1, 0, 2]]))
    let space = try window.geometry(input: extents, kernel: kernel).output
    let batch = samples.integer(1...2)
    try expectAgreement(
      ConvolutionWeightGradient(groups: groups, kernel: kernel, window: window),
      [
        try samples.tensor([batch, inputs] + extents),
        try samples.tensor([batch, outputs] + space),
      ], variables: [1], tolerance: 1e-3)
  }

  /// Of 3×3 elements over images that are large enough for fewer products.
  @Test(arguments: 0..<4) func weightsOfSquareConvolutions(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    let (inputs, outputs) = (samples.integer(16...20), samples.pick([16, 17, 33]))
    let extents = [samples.integer(25...28), samples.integer(25...31)]
    let window = Window(pads: samples.pick([[0, 0, 0, 0], [1, 1, 1, 1], [2, 1, 0, 1]]))
    let space = try window.geometry(input: extents, kernel: [3, 3]).output
    let batch = samples.integer(1...2)
    try expectAgreement(
      ConvolutionWeightGradient(groups: 1, kernel: [3, 3], window: window),
      [
        try samples.tensor([batch, inputs] + extents),
        try samples.tensor([batch, outputs] + space),
      ], variables: [1], tolerance: 1e-3)
  }

  /// Weights that are known only when the plan runs are packed then.
  @Test(arguments: 0..<8) func convolutionsByChangingWeights(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    let groups = samples.pick([1, 2])
    let (inputs, outputs) = (groups * samples.integer(2...9), groups * samples.integer(1...40))
    let extents = [samples.integer(9...30), samples.integer(9...30)]
    let window = Window(strides: samples.pick([[], [2, 2]]), pads: [1, 1, 1, 1])
    let x = try samples.tensor([2, inputs] + extents)
    try expectAgreement(
      Convolution(groups: groups, window: window, epilogue: Epilogue(.relu)),
      [x, try samples.tensor([outputs, inputs / groups, 3, 3]), try samples.tensor([outputs])],
      variables: [1])
    try expectAgreement(
      TransposedConvolution(groups: groups, window: window),
      [x, try samples.tensor([inputs, outputs / groups, 3, 3])], variables: [1])
  }

  @Test func resizes() throws {
    var samples = Samples(5)
    let sizes = Tensor(vector: [1, 3, 9, 4] as [Int64])
    for mode in [Resize.Mode.linear, .nearest, .cubic] {
      try expectAgreement(
        ResizeGradient(Resize(mode), shape: [1, 3, 4, 7]),
        [try samples.tensor([1, 3, 9, 4]), nil, nil, sizes])
    }
  }

  @Test func gates() throws {
    var samples = Samples(6)
    try expectAgreement(
      Gate(), [try samples.tensor([2, 3, 40]), try samples.tensor([3, 1])], variables: [1])
    let gate = Tensor(vector: [.nan, 0, -0.0, 1e-30] as [Float])
    let x = Tensor(vector: [1, 2, 3, 4] as [Float])
    #expect(try evaluate(Gate(), x, gate)[0].floats() == [0, 0, 0, 4])
    try expectAgreement(Gate(), [x, gate], variables: [1])
  }
}
