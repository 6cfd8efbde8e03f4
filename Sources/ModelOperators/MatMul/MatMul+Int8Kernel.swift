import ModelIR
import ModelKernels
import TensorCore

extension MatMul: IntegerPlannedOperator {
  package func integerKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let (a, b) = (try request.operands.required(0), try request.operands.required(1))
    let (p, q) = (
      try IntegerArithmetic.activation(a.fact.type, "operand"),
      try IntegerArithmetic.activation(b.fact.type, "operand")
    )
    let products = try MatrixProducts(a.shape, b.shape)
    try MatMul.checkTerms(products.k)
    // One matrix on the right for all rows on the left is one product.
    let isOne =
      products.starts.allSatisfy { $0.b == 0 } && a.shape.rank > 1
      && products.starts.count * products.m == a.shape.count(0..<a.shape.rank - 1)
    let multiplier = MatMul.multiplier(p, q, request.outputs[0])
    var epilogue = KernelEpilogue(
      multipliers: [Float](repeating: multiplier, count: products.n), output: .float32)
    if let to = request.outputs[0].quantization {
      epilogue.output = .int8(IntegerArithmetic.clamp(to), scale: 1)
    }
    let product = IntegerMatrixProduct(
      tier: request.tier, threads: request.threads,
      rows: isOne ? products.m * products.starts.count : products.m, columns: products.n,
      depth: products.k, starts: isOne ? [(a: 0, b: 0)] : products.starts,
      zeroPoints: (p.zeroPoint, q.zeroPoint), epilogue: epilogue)
    return PlannedKernel(
      scratchByteCount: product.scratchByteCount,
      multiplyAccumulates: products.shape.count * products.k
    ) { (frame) throws(ModelError) in
      product.run(
        frame.input(0, as: Int8.self), frame.input(1, as: Int8.self), output: frame.outputs[0],
        scratch: frame.scratch, pool: frame.pool)
    }
  }
}
