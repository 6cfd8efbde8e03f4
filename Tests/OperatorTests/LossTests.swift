import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct LossTests {
  private let scores = floats(2, 3, values: [1, 2, 3, 0.5, -1, 4])

  @Test func aMeanIsWeightedAndLeavesOutWhatDoesNotCount() throws {
    let weight = floats(3, values: [1, 10, 4])
    let loss = NegativeLogLikelihoodLoss(.mean)
    let mean = try evaluate(loss, scores, integers(1, 2), weight)[0]
    #expect(mean.shape.rank == 0 && abs(mean.doubles()[0] + (2 * 10 + 4 * 4) / 14.0) < 1e-6)
    let kept = try evaluate(
      NegativeLogLikelihoodLoss(.mean, ignored: 2), scores, integers(1, 2), weight)[0]
    #expect(kept.doubles() == [-2])
    let none = try evaluate(
      NegativeLogLikelihoodLoss(.none, ignored: -1), scores, integers(-1, 0), nil)[0]
    #expect(none.doubles() == [0, -0.5])
  }

  @Test func crossEntropyGivesItsLogarithms() throws {
    let made = try evaluate(
      SoftmaxCrossEntropyLoss(.sum, logarithms: true), scores, integers(2, 2), nil)
    let logarithms = try evaluate(LogSoftmax(axis: 1), scores)[0].doubles()
    #expect(zip(made[1].doubles(), logarithms).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(abs(made[0].doubles()[0] + logarithms[2] + logarithms[5]) < 1e-6)
  }

  @Test func rejections() {
    func reject(_ clause: String, _ types: [TensorType?]) {
      for op: any Operator in [NegativeLogLikelihoodLoss(), SoftmaxCrossEntropyLoss()] {
        expectRejection(clause) { () throws(ModelError) in _ = try op.types(types) }
      }
    }
    let (x, target) = (TensorType(.float32, [2, 3, 4]), TensorType(.int64, [2, 4]))
    reject("LO1", [x, TensorType(.float32, [2, 4])])
    reject("LO2", [x, TensorType(.int64, [2, 5])])
    reject("LO3", [x, target, TensorType(.float32, [4])])
    expectRejection("LO4") { () throws(ModelError) in
      _ = try NegativeLogLikelihoodLoss().reference(Operands([scores, integers(1, 3)]))
    }
  }

  /// onnxruntime's results for regions inside, partly outside and outside of the image, and turned over.
  @Test func regionsArePooledByTheirGreatestElements() throws {
    let x = floats(1, 2, 6, 5, values: (0..<60).map { Float($0 * 37 % 23) - 11 })
    let regions = floats(
      4, 5, values: [0, 1, 1, 6, 9, 0, 0, 0, 2, 3, 0, 8, 8, 30, 30, 0, 5, 7, 2, 3])
    let made = try evaluate(MaxRoiPool(height: 2, width: 3, scale: 0.5), x, regions)[0]
    #expect(made.shape.dimensions == [4, 2, 2, 3])
    let expected: [Double] = [
      6, -3, 11, 8, -1, 11, 11, 3, -6, -9, 5, -4, -10, 4, 4, -9, 5, 5, -4, 10, 10, -3, 11, 11, 4,
      0, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0, -11, -11, -11, -11, -11, -11, -5, -5, -5, -5, -5, -5,
    ]
    #expect(made.doubles() == expected)
    let far = floats(1, 5, values: [1, 0, 0, 1, 1])
    expectRejection("MR3") { () throws(ModelError) in
      _ = try MaxRoiPool().reference(Operands([x, far]))
    }
    func reject(_ clause: String, _ types: [TensorType?]) {
      expectRejection(clause) { () throws(ModelError) in _ = try MaxRoiPool().types(types) }
    }
    reject("MR1", [x.type, TensorType(.float64, [4, 5])])
    reject("MR2", [x.type, TensorType(.float32, [4, 4])])
  }
}
