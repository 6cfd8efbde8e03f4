import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct NormalizeL2Tests {
  @Test func linesBecomeUnitVectors() throws {
    let x = floats(2, 2, values: [3, -4, 0, 0])
    #expect(try evaluate(NormalizeL2(axis: 1, epsilon: 1e-12), x)[0].floats() == [0.6, -0.8, 0, 0])
    let columns = try evaluate(NormalizeL2(axis: -2, epsilon: 1e-12), x)[0]
    #expect(columns.floats() == [1, -1, 0, 0])
  }

  @Test func shortLinesAreDividedByEpsilonAndNaNStays() throws {
    let x = floats(2, 1, values: [0.25, .nan])
    let y = try evaluate(NormalizeL2(axis: 1, epsilon: 0.5), x)[0].floats()
    #expect(y[0] == 0.5)
    #expect(y[1].isNaN)
  }

  @Test func integersHaveNoDirection() {
    #expect(code { _ = try evaluate(NormalizeL2(), integers(1, 2)) } == .typeMismatch)
  }

  @Test(arguments: [0, 1, -1])
  func theKernelAgrees(axis: Int) throws {
    var samples = Samples(5)
    try expectAgreement(NormalizeL2(axis: axis, epsilon: 1e-12), [try samples.tensor([3, 5, 17])])
  }
}
