import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension MatMul: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32 else { return nil }
    let (a, b) = (try request.operands.required(0).shape, try request.operands.required(1).shape)
    let products = try MatrixProducts(a, b)
    guard products.k > 0 else { return nil }
    // One matrix on the right for all rows on the left is one product.
    let isOne =
      products.starts.allSatisfy { $0.b == 0 } && a.rank > 1
      && products.starts.count * products.m == a.count(0..<a.rank - 1)
    let product = FloatProduct(
      m: isOne ? products.m * products.starts.count : products.m, n: products.n, k: products.k,
      request)
    let starts = isOne ? [(a: 0, b: 0)] : products.starts
    return PlannedKernel(
      multiplyAccumulates: products.shape.count * products.k
    ) { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let z = frame.output(0, as: Float.self)
      let each = product.tasks
      frame.pool.run(tasks: starts.count * each) { task in
        let index = task / each
        product.run(
          task % each, a: x + starts[index].a, b: y + starts[index].b,
          c: z + index * product.m * product.n)
      }
    }
  }
}
