import ModelIR
import TensorCore

/// Matrix product: y = f(α · A′ · B′ + β · C + residual), A′ and B′ being A and B or their transposes,
/// and f the activation of the ``Epilogue``.
///
/// Operands: A, B, C? (broadcast to the result), residual?, slope? (along the columns). Integers are
/// multiplied exactly and take neither α, β nor an epilogue. Clauses `GM1`…, `EP1`… of
/// `formats/operators.md`; ONNX Gemm 7–13.
package struct Gemm: Operator {
  package static let name = "Gemm"
  package static let fields = [
    Field("transposeA", \Gemm.transposeA),
    Field("transposeB", \Gemm.transposeB),
    Field("alpha", \Gemm.alpha),
    Field("beta", \Gemm.beta),
    Field("activation", \Gemm.epilogue.activation),
    Field("activationAlpha", \Gemm.epilogue.alpha),
    Field("lower", \Gemm.epilogue.lower),
    Field("upper", \Gemm.epilogue.upper),
  ]

  package var transposeA = false
  package var transposeB = false
  package var alpha: Float = 1
  package var beta: Float = 1
  package var epilogue = Epilogue()

  package init() {}
  package init(
    transposeA: Bool = false, transposeB: Bool = false, alpha: Float = 1, beta: Float = 1,
    epilogue: Epilogue = Epilogue()
  ) {
    self.transposeA = transposeA
    self.transposeB = transposeB
    self.alpha = alpha
    self.beta = beta
    self.epilogue = epilogue
  }
}

// MARK: - Types

extension Gemm {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...5)
    let (a, b, c) = (try inputs.required(0), try inputs.required(1), inputs.optional(2))
    guard a.element != .bool, b.element == a.element, c == nil || c?.element == a.element else {
      throw ModelError(
        .typeMismatch, "GM1: product of \(a.element) and \(b.element); one numeric type needed")
    }
    if a.element.isInteger, alpha != 1 || beta != 1 || epilogue.activation != .none {
      throw ModelError(.typeMismatch, "GM1: a scaled or activated product of \(a.element)")
    }
    let (x, y) = (try a.dimensions(), try b.dimensions())
    guard x.count == 2, y.count == 2, x[transposeA ? 0 : 1].mayEqual(y[transposeB ? 1 : 0]) else {
      throw ModelError(.shapeMismatch, "GM2: product of \(a.type) and \(b.type)")
    }
    let result = TensorType(
      a.element, [x[transposeA ? 1 : 0], y[transposeB ? 0 : 1]])
    if let c {
      let given = try c.dimensions()
      let own = [result.dimensions?[0] ?? .unknown, result.dimensions?[1] ?? .unknown]
      guard given.count <= 2,
        zip(given.reversed(), own.reversed()).allSatisfy({ $0 == 1 || $0.mayEqual($1) })
      else {
        throw ModelError(.shapeMismatch, "GM3: \(c.type) does not broadcast to \(result)")
      }
    }
    try epilogue.check(
      EpilogueOperands(bias: nil, residual: inputs.optional(3), slope: inputs.optional(4)),
      output: result, axis: 1)
    return [result]
  }
}

// MARK: - Reference

extension Gemm {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    let (m, k) = transposeA ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let n = transposeB ? b.shape[0] : b.shape[1]
    let shape = try Shape([m, n])
    let c = inputs.optional(2)
    let cStrides = c.map { $0.shape.broadcastStrides(to: shape) } ?? []
    let (aRow, aColumn) = transposeA ? (1, m) : (k, 1)
    let (bRow, bColumn) = transposeB ? (1, k) : (n, 1)
    if a.element.isInteger {
      let (x, y, z) = (a.integers(), b.integers(), c?.integers())
      var result = [Int64](repeating: 0, count: m * n)
      for i in 0..<m {
        for j in 0..<n {
          var sum = z.map { $0[i * cStrides[0] + j * cStrides[1]] } ?? 0
          for p in 0..<k { sum &+= x[i * aRow + p * aColumn] &* y[p * bRow + j * bColumn] }
          result[i * n + j] = sum
        }
      }
      return [Tensor(a.element, shape, integers: result)]
    }
    let (x, y, z) = (a.doubles(), b.doubles(), c?.doubles())
    var result = [Double](repeating: 0, count: m * n)
    for i in 0..<m {
      for j in 0..<n {
        var sum = 0.0
        for p in 0..<k { sum += x[i * aRow + p * aColumn] * y[p * bRow + j * bColumn] }
        sum *= Double(alpha)
        if let z { sum += Double(beta) * z[i * cStrides[0] + j * cStrides[1]] }
        result[i * n + j] = sum
      }
    }
    let finished = epilogue.finish(
      result, shape, axis: 1,
      EpilogueOperands(bias: nil, residual: inputs.optional(3), slope: inputs.optional(4)))
    return [Tensor(a.element, shape, doubles: finished)]
  }
}

// MARK: - Import

extension Gemm: ImportableOperator {
  package static let importers =
    [
      Importer("Gemm", 6...newestOpset) { node throws(ModelError) in
        // Before opset 7, whether C broadcasts; it does wherever its shape asks for it.
        if node.version < 7 { node.ignore("broadcast") }
        return Gemm(
          transposeA: try node.flag("transA", default: false),
          transposeB: try node.flag("transB", default: false),
          alpha: try node.attribute("alpha", default: Float(1)),
          beta: try node.attribute("beta", default: Float(1)))
      }
    ] + quantizedImporters + fusedImporters
}
