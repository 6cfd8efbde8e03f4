import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Einsum: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32, request.operands.count == 2 else { return nil }
    return try EinsumProduct(self, request)?.kernel(request)
  }
}

/// A sum of products of two operands as matrix products: axes that both have and the result too count
/// products, axes that both have and the result has not are summed over.
private struct EinsumProduct: Sendable {
  private typealias Label = EinsumEquation.Label

  /// Copies the elements of a tensor in another order of its axes.
  private struct Reordering: Sendable {
    let extents: [Int]
    let strides: [Int]
    let count: Int
    /// The order is the one in memory.
    let isIdentity: Bool

    /// The axes `order` of a tensor whose axes `labels` have `extents`.
    init(_ labels: [Label], _ own: [Int], order: [Label]) {
      var pitch = 1
      var strides = own
      for axis in own.indices.reversed() {
        strides[axis] = pitch
        pitch *= own[axis]
      }
      let axes = order.compactMap { labels.firstIndex(of: $0) }
      extents = axes.map { own[$0] }
      self.strides = axes.map { strides[$0] }
      count = pitch
      isIdentity = axes == Array(own.indices)
    }

    /// Calls `body` with the place of each element, in order.
    func visit(_ body: (_ index: Int, _ place: Int) -> Void) {
      var point = [Int](repeating: 0, count: extents.count)
      var place = 0
      for index in 0..<count {
        body(index, place)
        var axis = extents.count - 1
        while axis >= 0 {
          point[axis] += 1
          place += strides[axis]
          if point[axis] < extents[axis] { break }
          place -= strides[axis] * extents[axis]
          point[axis] = 0
          axis -= 1
        }
      }
    }
  }

  private let a: Reordering
  private let b: Reordering
  private let c: Reordering
  private let batch: Int
  private let product: FloatProduct

  init?(_ op: Einsum, _ request: KernelRequest) throws(ModelError) {
    let (x, y) = (try request.operands.required(0).shape, try request.operands.required(1).shape)
    let parsed = try EinsumEquation(op.equation, ranks: [x.rank, y.rank])
    let (left, right, result) = (parsed.operands[0], parsed.operands[1], parsed.result)
    var extents: [Label: Int] = [:]
    for (labels, shape) in [(left, x), (right, y)] {
      guard Set(labels).count == labels.count else { return nil }
      for (label, extent) in zip(labels, shape.dimensions) {
        guard extents[label] == nil || extents[label] == extent else { return nil }
        extents[label] = extent
      }
    }
    let shared = left.filter { right.contains($0) }
    let products = shared.filter { result.contains($0) }
    let summed = shared.filter { !result.contains($0) }
    let rows = left.filter { !right.contains($0) }
    let columns = right.filter { !left.contains($0) }
    // An axis of one operand alone that is summed over is not a product.
    guard (rows + columns).allSatisfy({ result.contains($0) }) else { return nil }
    func count(_ labels: [Label]) -> Int { labels.reduce(1) { $0 * (extents[$1] ?? 1) } }
    batch = count(products)
    product = FloatProduct(m: count(rows), n: count(columns), k: count(summed), request)
    guard x.count > 0, y.count > 0 else { return nil }
    a = Reordering(left, x.dimensions, order: products + rows + summed)
    b = Reordering(right, y.dimensions, order: products + summed + columns)
    c = Reordering(result, result.map { extents[$0] ?? 1 }, order: products + rows + columns)
  }

  func kernel(_ request: KernelRequest) -> PlannedKernel {
    let size = [a, b, c].map { $0.isIdentity ? 0 : alignedByteCount($0.count * 4) }
    return PlannedKernel(
      scratchByteCount: size[0] + size[1] + size[2],
      multiplyAccumulates: batch * product.m * product.n * product.k
    ) { (frame) throws(ModelError) in
      let left = ordered(a, frame.input(0, as: Float.self), frame.scratch)
      let right = ordered(b, frame.input(1, as: Float.self), frame.scratch + size[0])
      let y = frame.output(0, as: Float.self)
      let result =
        c.isIdentity
        ? y : (frame.scratch + size[0] + size[1]).assumingMemoryBound(to: Float.self)
      frame.pool.run(tasks: batch * product.tasks) { task in
        let n = task / product.tasks
        product.run(
          task % product.tasks, a: left + n * product.m * product.k,
          b: right + n * product.k * product.n, c: result + n * product.m * product.n)
      }
      if !c.isIdentity { c.visit { y[$1] = result[$0] } }
    }
  }

  private func ordered(
    _ order: Reordering, _ x: UnsafePointer<Float>, _ scratch: UnsafeMutableRawPointer
  ) -> UnsafePointer<Float> {
    if order.isIdentity { return x }
    let target = scratch.assumingMemoryBound(to: Float.self)
    order.visit { target[$0] = x[$1] }
    return UnsafePointer(target)
  }
}
