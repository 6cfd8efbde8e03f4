import Foundation
import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct SpectralTests {
  @Test func theInverseUndoesTheTransform() throws {
    var samples = Samples(1)
    for (length, parts) in [(8, 2), (7, 2), (6, 1)] {
      let x = try samples.tensor([2, length, 3, parts])
      let forward = try DFT(axis: 1, onesided: parts == 1).referenceChecked([x])[0]
      let back = try DFT(axis: 1, inverse: true, onesided: parts == 1).referenceChecked([forward])[
        0]
      #expect(back.shape == x.shape)
      for (a, b) in zip(back.floats(), x.floats()) { #expect(abs(a - b) < 1e-5) }
    }
  }

  @Test func framesAreTransformedOneByOne() throws {
    var samples = Samples(2)
    let signal = try samples.tensor([1, 10])
    let window = try samples.tensor([4])
    let y = try STFT(onesided: true).referenceChecked(
      [signal, Tensor(scalar: Int64(3)), window])[0]
    #expect(y.shape.dimensions == [1, 3, 3, 2])
    let frame = (0..<4).map { signal.floats()[3 + $0] * window.floats()[$0] }
    let x = try tensor([1, 4, 1], frame)
    let alone = try DFT(axis: 1, onesided: true).referenceChecked([x])[0].floats()
    for (index, value) in alone.enumerated() { #expect(abs(y.floats()[6 + index] - value) < 1e-5) }
  }

  @Test func windowsAreSumsOfCosines() throws {
    let size = Tensor(scalar: Int64(4))
    #expect(try HannWindow().referenceChecked([size])[0].floats() == [0, 0.5, 1, 0.5])
    var symmetric = HannWindow()
    symmetric.periodic = false
    let values = try symmetric.referenceChecked([size])[0].floats()
    #expect(zip(values, [0, 0.75, 0.75, 0]).allSatisfy { abs($0 - Float($1)) < 1e-6 })
    #expect(abs(try HammingWindow().referenceChecked([size])[0].floats()[0] - 4 / 46) < 1e-6)
    #expect(abs(try BlackmanWindow().referenceChecked([size])[0].floats()[0]) < 1e-6)
  }

  @Test func melBandsAreTriangles() throws {
    let operands: [Tensor] = [
      Tensor(scalar: Int64(8)), Tensor(scalar: Int64(16)), Tensor(scalar: Int64(8192)),
      Tensor(scalar: Float(0)), Tensor(scalar: Float(4096)),
    ]
    let y = try MelWeightMatrix().referenceChecked(operands)[0]
    #expect(y.shape.dimensions == [9, 8])
    for band in 0..<8 { #expect((0..<9).contains { y.floats()[$0 * 8 + band] == 1 }) }
  }

  @Test(arguments: [Float.nan, .infinity, -.infinity, -0x1p63, 1e6])
  func melBandsOutsideTheTransformAreRefused(frequency: Float) {
    let counts = [8, 16, 8192].map { Tensor(scalar: Int64($0)) }
    for bounds in [[0, frequency], [frequency, 4096]] {
      let operands = counts + bounds.map { Tensor(scalar: $0) }
      expectRejection("ME2") { () throws(ModelError) in
        _ = try MelWeightMatrix().reference(Operands(operands))
      }
    }
  }

  @Test func rejections() {
    func reject(_ clause: String, _ op: any Operator, _ types: [TensorType?]) {
      expectRejection(clause) { () throws(ModelError) in _ = try op.types(types) }
    }
    let x = TensorType(.float32, [1, 8, 2])
    reject("FT1", DFT(axis: 1), [TensorType(.int32, [1, 8, 2])])
    reject("FT2", DFT(axis: 2), [x])
    reject("FT2", DFT(axis: 1), [TensorType(.float32, [1, 8, 3])])
    reject("FT4", DFT(), [x, nil, TensorType(.float32, [])])
    reject("ST2", STFT(), [TensorType(.float32, [8]), TensorType(.int64, [])])
    reject("ST3", STFT(), [x, TensorType(.int64, [])])
    reject("WF1", HannWindow(), [TensorType(.float32, [])])
  }
}
