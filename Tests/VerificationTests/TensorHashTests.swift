import ModelVerification
import TensorCore
import Testing

@Suite struct TensorHashTests {
  /// SHA-256 of "uint8", 0, rank 1, extent 3, no scales, 1 2 3, computed with another program.
  @Test func theFormIsThatOfTheClause() {
    #expect(
      TensorHash(Tensor(vector: [UInt8(1), 2, 3])).description
        == "2aba53fe272afc79ff1e6fc6d6da4223b9b2953801d41a2e9ef341a7aba958a6")
    let quantized = Tensor(vector: [Int8(-1), 5])
      .reading(as: QuantizationParameters(scale: 0.5, zeroPoint: -3))
    #expect(
      TensorHash(quantized).description
        == "5372c1d4e581a8be795fbc4573fe2901958424572742fd731b54c695a64ad209")
  }

  @Test func typeShapeScaleAndElementsAllCount() throws {
    let base = Tensor(vector: [Int8(1), 2])
    let others = [
      Tensor(vector: [Int8(1), 3]), Tensor(vector: [UInt8(1), 2]),
      try base.reshaped(to: Shape([1, 2])),
      base.reading(as: QuantizationParameters(scale: 1, zeroPoint: 0)),
      base.reading(as: QuantizationParameters(scale: 1, zeroPoint: 1)),
      base.reading(as: QuantizationParameters(perChannel: [1, 1], axis: 0)),
    ]
    #expect(Set((others + [base]).map { TensorHash($0) }).count == 7)
    #expect(TensorHash(base) == TensorHash(Tensor(vector: [Int8(1), 2])))
  }
}
