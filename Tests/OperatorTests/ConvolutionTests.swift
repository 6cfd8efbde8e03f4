import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct ConvolutionTests {
  @Test func sumsOfNeighbours() throws {
    let x = try tensor([1, 1, 3, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8])
    let w = try tensor([1, 1, 2, 2], [1, 1, 1, 1])
    let plain = try Convolution().referenceChecked([x, w])[0]
    #expect(plain.floats() == [8, 12, 20, 24])
    let padded = try Convolution(window: Window(strides: [2, 2], autoPad: .sameLower))
      .referenceChecked([x, w])[0]
    #expect(padded.floats() == [0, 3, 9, 24])
  }

  @Test func epilogueIsBiasResidualActivation() throws {
    let x = try tensor([1, 2, 1], [1, -1])
    let w = try tensor([2, 1, 1], [2, 3])
    let bias = try tensor([2], [1, 1])
    let residual = try tensor([1, 2, 1], [-5, 0])
    let slope = try tensor([2], [0.5, 0.25])
    let op = Convolution(groups: 2, epilogue: Epilogue(.prelu))
    #expect(try op.referenceChecked([x, w, bias, residual, slope])[0].floats() == [-1, -0.5])
  }

  /// ⟨conv(x), y⟩ = ⟨x, transposed(y)⟩ for every geometry.
  @Test(arguments: 0..<40) func transposedIsTheAdjoint(seed: Int) throws {
    var samples = Samples(UInt64(seed))
    let rank = samples.integer(1...3)
    let groups = samples.pick([1, 1, 2, 3])
    let (c, m) = (groups * samples.integer(1...2), groups * samples.integer(1...3))
    let kernel = (0..<rank).map { _ in samples.integer(1...3) }
    let window = Window(
      strides: (0..<rank).map { _ in samples.integer(1...3) },
      dilations: (0..<rank).map { _ in samples.integer(1...2) },
      pads: (0..<2 * rank).map { _ in samples.integer(0...1) })
    let extents = (0..<rank).map { samples.integer(5 + $0...8) }
    let x = try samples.tensor([2, c] + extents)
    let w = try samples.tensor([m, c / groups] + kernel)
    let forward = try Convolution(groups: groups, window: window).referenceChecked([x, w])[0]
    let y = try samples.tensor(forward.shape.dimensions)
    let remainder = (0..<rank).map { axis in
      let span = (kernel[axis] - 1) * window.dilations[axis] + 1
      return (extents[axis] + window.pads[axis] + window.pads[axis + rank] - span)
        % window.strides[axis]
    }
    let back = try TransposedConvolution(
      groups: groups, window: window, outputPadding: remainder
    ).referenceChecked([y, w])[0]
    #expect(back.shape == x.shape)
    let left = zip(forward.doubles(), y.doubles()).reduce(0) { $0 + $1.0 * $1.1 }
    let right = zip(back.doubles(), x.doubles()).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(left - right) < 1e-4)
  }

  @Test func outputShapeDecidesThePads() throws {
    let x = try tensor([1, 1, 3, 3], [Float](repeating: 1, count: 9))
    let w = try tensor([1, 2, 3, 3], [Float](repeating: 1, count: 18))
    let op = TransposedConvolution(
      window: Window(strides: [3, 2]), outputShape: [10, 8])
    let y = try op.referenceChecked([x, w])[0]
    #expect(y.shape.dimensions == [1, 2, 10, 8])
    let same = TransposedConvolution(window: Window(strides: [2, 2], autoPad: .sameUpper))
    #expect(try same.referenceChecked([x, w])[0].shape.dimensions == [1, 2, 6, 6])
  }

  @Test func symbolsPassThrough() throws {
    let x = TensorType(.float32, [.symbol("N"), 3, .symbol("H"), .symbol("W")])
    let w = TensorType(.float32, [8, 3, 3, 3])
    let kept = Convolution(window: Window(pads: [1, 1, 1, 1]))
    #expect(try kept.types([x, w])[0].dimensions == [.symbol("N"), 8, .symbol("H"), .symbol("W")])
    let halved = Convolution(window: Window(strides: [2, 2], pads: [1, 1, 1, 1]))
    #expect(try halved.types([x, w])[0].dimensions == [.symbol("N"), 8, .unknown, .unknown])
  }

  @Test func rejections() {
    let x = TensorType(.float32, [1, 4, 8, 8])
    let w = TensorType(.float32, [6, 4, 3, 3])
    func reject(_ clause: String, _ op: any Operator, _ types: [TensorType?]) {
      expectRejection(clause) { () throws(ModelError) in _ = try op.types(types) }
    }
    reject("CV1", Convolution(), [x, TensorType(.float64, [6, 4, 3, 3])])
    reject("CV2", Convolution(), [x, TensorType(.float32, [6, 4, 3])])
    reject("CV3", Convolution(groups: 2), [x, w])
    reject("CV3", Convolution(groups: 0), [x, w])
    reject("WN1", Convolution(window: Window(strides: [1])), [x, w])
    reject("WN2", Convolution(window: Window(strides: [0, 1])), [x, w])
    reject("WN2", Convolution(window: Window(pads: [0, 0, 0, -1])), [x, w])
    reject("WN3", Convolution(), [TensorType(.float32, [1, 4, 2, 8]), w])
    reject("EP2", Convolution(), [x, w, TensorType(.float64, [6])])
    reject("EP3", Convolution(), [x, w, TensorType(.float32, [5])])
    reject("EP4", Convolution(), [x, w, nil, TensorType(.float32, [1, 6, 6, 5])])
    reject("EP5", Convolution(epilogue: Epilogue(.prelu)), [x, w])
    reject("EP6", Convolution(epilogue: Epilogue(.clip, lower: 1, upper: 0)), [x, w])
    reject("CT1", TransposedConvolution(), [x, TensorType(.int32, [4, 6, 3, 3])])
    reject("CT2", TransposedConvolution(), [x, TensorType(.float32, [4, 6, 3])])
    reject("CT3", TransposedConvolution(), [x, w])
    let transposed = TensorType(.float32, [4, 6, 3, 3])
    reject("CT4", TransposedConvolution(outputPadding: [1]), [x, transposed])
    reject(
      "CT5", TransposedConvolution(window: Window(pads: [9, 0, 9, 0])), [x, transposed])
  }
}
