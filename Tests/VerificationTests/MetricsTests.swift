import Foundation
import ModelVerification
import TensorCore
import Testing

@Suite struct MetricsTests {
  @Test func errorsAreThoseComputedByHand() throws {
    // Errors 0, 1, −2, 0 against a signal of 1 + 4 + 16 + 4 = 25.
    let metrics = Metrics([1, 3, 2, -2], against: [1, 2, 4, -2])
    #expect(metrics.count == 4)
    #expect(metrics.maximumAbsoluteError == 2)
    #expect(metrics.meanAbsoluteError == 0.75)
    #expect(metrics.meanSquaredError == 1.25)
    #expect(metrics.maximumRelativeError == 0.5)
    #expect(abs(metrics.signalToNoise - 10 * log10(5)) < 1e-12)
    // Σab = 1 + 6 + 8 + 4 = 19, Σa² = 18, Σb² = 25.
    #expect(abs(metrics.cosine - 19 / (18 * 25).squareRoot()) < 1e-12)
    #expect(metrics.worstIndex == 2)
  }

  @Test func equalTensorsHaveNoNoise() throws {
    let metrics = Metrics([1, -2], against: [1, -2])
    #expect(metrics.signalToNoise == .infinity)
    #expect(metrics.peakSignalToNoise(range: 255) == .infinity)
    #expect(abs(metrics.cosine - 1) < 1e-15)
    #expect(metrics.worstIndex == nil)
  }

  @Test func zeroReferencesGiveNoRelativeErrorAndNoSignal() throws {
    let metrics = Metrics([0.5, 0], against: [0, 0])
    #expect(metrics.maximumRelativeError == 0)
    #expect(metrics.signalToNoise == -.infinity)
    #expect(metrics.cosine == 0)
    #expect(Metrics([0], against: [0]).cosine == 1)
  }

  @Test func valuesThatAreNotFiniteAgreeOnlyWithTheirOwnKind() throws {
    let infinity = Double.infinity
    let metrics = Metrics(
      [.nan, infinity, -infinity, infinity, 1, .nan, 3],
      against: [.nan, infinity, -infinity, -infinity, .nan, 2, 4])
    #expect(metrics.nonFiniteMismatches == 3)
    #expect(metrics.finiteCount == 1)
    #expect(metrics.maximumAbsoluteError == 1)
    #expect(metrics.worstIndex == 3)
  }

  @Test func emptyTensorsAreEqual() throws {
    let metrics = Metrics([], against: [])
    #expect(metrics.meanAbsoluteError == 0)
    #expect(metrics.cosine == 1)
    #expect(metrics.signalToNoise == .infinity)
  }

  @Test func peakSignalToNoiseCountsTheRange() throws {
    // MSE 1 over bytes: 20·log₁₀ 255 = 48.13 dB.
    #expect(
      abs(Metrics([1, 3], against: [2, 2]).peakSignalToNoise(range: 255) - 48.130_803_608_679_1)
        < 1e-9)
  }

  @Test func quantizedIntegersAreReadAsTheRealsTheyStandFor() throws {
    let stored = Tensor(
      try Shape([2]), [Int8(3), -1], quantization: QuantizationParameters(scale: 0.5, zeroPoint: 1))
    let metrics = try Metrics(stored, against: Tensor(vector: [Float(1), -1]))
    #expect(metrics.maximumAbsoluteError == 0)
  }

  @Test func shapesMustBeEqual() throws {
    let error = #expect(throws: ModelError.self) {
      try Metrics(Tensor(vector: [Float(1)]), against: Tensor(scalar: Float(1)))
    }
    #expect(error?.code == .shapeMismatch)
  }
}

@Suite struct DistributionMetricsTests {
  private func rows(_ values: [Double], _ shape: [Int]) throws -> Tensor {
    Tensor(.float64, try Shape(shape), doubles: values)
  }

  @Test func divergenceIsInNats() throws {
    let metrics = try DistributionMetrics(
      rows([0.25, 0.75, 0.5, 0.5], [2, 2]), against: rows([0.5, 0.5, 0.5, 0.5], [2, 2]))
    let first = 0.5 * log(2.0) + 0.5 * log(0.5 / 0.75)
    #expect(abs(metrics.meanDivergence - first / 2) < 1e-12)
    #expect(abs(metrics.maximumDivergence - first) < 1e-12)
    // The reference's first maximum is index 0, the other side's is index 1.
    #expect(metrics.topAgreement == 0.5)
  }

  @Test func aProbabilityOfZeroIsFloored() throws {
    let metrics = try DistributionMetrics(rows([0, 1], [2]), against: rows([1, 0], [2]))
    #expect(abs(metrics.meanDivergence - 12 * log(10)) < 1e-9)
    #expect(metrics.topAgreement == 0)
  }

  @Test func rowsLieAlongTheAxis() throws {
    let metrics = try DistributionMetrics(
      rows([0.9, 0.2, 0.1, 0.8], [2, 2]), against: rows([0.9, 0.2, 0.1, 0.8], [2, 2]), axis: 0)
    #expect(metrics.rows == 2)
    #expect(metrics.maximumDivergence == 0)
    #expect(metrics.topAgreement == 1)
  }

  @Test func rowsThatAreNearlyTiedCountApart() throws {
    let expected = try rows([0.3, 0.298, 0.402, 0.4, 0.3, 0.2, 0.5, 0.25, 0.25], [3, 3])
    let actual = try rows([0.3, 0.298, 0.402, 0.3, 0.4, 0.3, 0.5, 0.25, 0.25], [3, 3])
    let metrics = try DistributionMetrics(actual, against: expected)
    #expect(metrics.topAgreement == 2 / 3.0)
    #expect(metrics.clearRows == 3)
    #expect(metrics.clearAgreement == 2 / 3.0)
    let tied = try DistributionMetrics(
      rows([0.4, 0.6, 0.7, 0.3], [2, 2]), against: rows([0.501, 0.499, 0.7, 0.3], [2, 2]))
    #expect(tied.topAgreement == 0.5)
    #expect(tied.clearRows == 1)
    #expect(tied.clearAgreement == 1)
  }

  @Test func invalidRowsDisagree() throws {
    let metrics = try DistributionMetrics(
      rows([.nan, 1, 0.5, 0.5], [2, 2]), against: rows([0, 1, 0.5, 0.5], [2, 2]))
    #expect(metrics.invalidRows == 1)
    #expect(metrics.topAgreement == 0.5)
    #expect(metrics.meanDivergence == 0)
    #expect(throws: ModelError.self) {
      try DistributionMetrics(rows([1], [1]), against: rows([1], [1]), axis: 1)
    }
  }
}
