import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct MatrixProductTests {
  @Test func gemmScalesAndTransposes() throws {
    let a = try tensor([2, 3], [1, 2, 3, 4, 5, 6])
    let b = try tensor([2, 3], [1, 0, 1, 0, 1, 0])
    let c = try tensor([2], [10, 20])
    let y = try Gemm(transposeB: true, alpha: 2, beta: 0.5).referenceChecked([a, b, c])[0]
    #expect(y.floats() == [13, 14, 25, 20])
    let t = try Gemm(transposeA: true).referenceChecked([a, b])[0]
    #expect(t.floats() == [1, 4, 1, 2, 5, 2, 3, 6, 3])
  }

  @Test func matMulBroadcastsAndDropsVectorAxes() throws {
    let a = try tensor([2, 1, 1, 2], [1, 2, 3, 4])
    let b = try tensor([3, 2, 1], [1, 0, 0, 1, 1, 1])
    let y = try MatMul().referenceChecked([a, b])[0]
    #expect(y.shape.dimensions == [2, 3, 1, 1])
    #expect(y.floats() == [1, 2, 3, 3, 4, 7])
    let v = try tensor([2], [1, 1])
    #expect(try MatMul().referenceChecked([v, v])[0].shape == .scalar)
    #expect(try MatMul().referenceChecked([v, b])[0].shape.dimensions == [3, 1])
  }

  @Test func linearIsMatMulAndAdd() throws {
    var samples = Samples(7)
    let x = try samples.tensor([2, 3, 5])
    let w = try samples.tensor([5, 4])
    let b = try samples.tensor([4])
    let y = try Linear(transposeWeight: false, epilogue: Epilogue(.relu))
      .referenceChecked([x, w, b])[0]
    let product = try MatMul().reference(Operands([x, w]))[0].floats()
    let bias = b.floats()
    for (index, value) in y.floats().enumerated() {
      #expect(abs(value - max(0, product[index] + bias[index % 4])) < 1e-6)
    }
  }

  @Test func productsOverNothingAreWhatIsAddedToThem() throws {
    let (x, bias) = (try tensor([3, 0], []), try tensor([4], [1, 2, 3, 4]))
    for transposed in [false, true] {
      let op = Linear(transposeWeight: transposed)
      let weight = try tensor(transposed ? [4, 0] : [0, 4], [])
      try expectAgreement(op, [x, weight, bias], tolerance: 0)
      #expect(
        try op.referenceChecked([x, weight, bias])[0].floats()
          == [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
      let sums = try op.integerSums([], x.shape, [], weight.shape)
      #expect(sums == [Int64](repeating: 0, count: 12))
    }
  }

  @Test func rejections() {
    func reject(_ clause: String, _ op: any Operator, _ types: [TensorType?]) {
      expectRejection(clause) { () throws(ModelError) in _ = try op.types(types) }
    }
    let a = TensorType(.float32, [2, 3])
    reject("GM1", Gemm(), [a, TensorType(.float64, [3, 4])])
    reject("GM1", Gemm(alpha: 2), [TensorType(.int32, [2, 3]), TensorType(.int32, [3, 2])])
    reject("GM2", Gemm(), [a, a])
    reject("GM3", Gemm(transposeB: true), [a, a, TensorType(.float32, [3])])
    reject("MM1", MatMul(), [a, TensorType(.bool, [3, 2])])
    reject("MM2", MatMul(), [a, a])
    reject("MM2", MatMul(), [a, TensorType(.float32, [])])
    reject("LN1", Linear(), [a, TensorType(.float16, [3, 2])])
    reject("LN2", Linear(), [a, a])
  }
}
