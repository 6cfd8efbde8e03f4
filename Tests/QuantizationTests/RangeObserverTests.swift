import TensorCore
import Testing

@testable import ModelQuantization

private func observer(_ samples: [[Float]]) -> RangeObserver {
  var observer = RangeObserver()
  for sample in samples { observer.observe(Tensor(vector: sample)) }
  return observer
}

@Test func minMaxCoversEverythingAndZero() throws {
  let range = try observer([[1, 2], [3]]).range(.minMax)
  #expect(range == ValueRange(lower: 0, upper: 3))
  #expect(range.parameters.zeroPoint == -128)
  #expect(range.parameters.scale == Float(3.0 / 255))
}

@Test(arguments: CalibrationMethod.allCases.filter { $0 != .movingAverage })
func rangesDoNotDependOnTheOrderOfSamples(method: CalibrationMethod) throws {
  var samples: [[Float]] = []
  for sample in 0..<20 {
    let divisor = Float(sample * 7 + 3)
    samples.append((0..<500).map { Float(($0 * 37 + sample * 101) % 997) / divisor - 20 })
  }
  let forwards = try observer(samples).range(method)
  let backwards = try observer(samples.reversed()).range(method)
  #expect(forwards == backwards)
}

@Test func outliersAreCutByPercentileAndMse() throws {
  var values = (0..<100_000).map { Float($0 % 1000) / 1000 }
  values[17] = 500
  let observed = observer([values])
  #expect(try observed.range(.minMax).upper == 500)
  #expect(try observed.range(.percentile).upper < 2)
  #expect(try observed.range(.mse).upper < 500)
  #expect(try observed.range(.entropy).upper < 500)
}

@Test func valuesThatAreNotFiniteAreCountedAndLeftOut() throws {
  let observed = observer([[.nan, .infinity, 1]])
  #expect(observed.notFinite == 2)
  #expect(try observed.range(.minMax).upper == 1)
  #expect(throws: ModelError.self) { try observer([[.nan]]).range(.minMax) }
}

@Test func parametersKeepZeroExact() {
  for (lower, upper) in [(-1, 1), (0, 6), (-4, 0), (-0.001, 100), (0, 0)] as [(Float, Float)] {
    let parameters = ValueRange(lower: lower, upper: upper).parameters
    #expect((-128...127).contains(parameters.zeroPoint))
    #expect(parameters.scale > 0)
  }
}
