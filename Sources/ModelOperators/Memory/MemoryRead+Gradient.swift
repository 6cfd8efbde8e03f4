import ModelIR
import TensorCore

// MARK: - Gradient

extension MemoryRead: DifferentiableOperator {
  /// Of the softmax over the products of directions and keys, head by head.
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    guard leastShare == 0 else {
      throw ModelError(.unsupportedFeature, "KV7: the gradient of a memory that leaves out slots")
    }
    let (query, keys, values) = (
      try site.operand(0), try site.operand(1), try site.operand(2)
    )
    let layout = MemoryLayout(
      self, query: try query.shape, keys: try keys.shape, values: try values.shape)
    /// [rows, heads · n] as [heads, rows, n].
    func byHead(_ term: Term, _ count: Int) throws(ModelError) -> Term {
      try term.reshaped(to: [layout.rows, layout.heads, count]).transposed([1, 0, 2])
    }
    let norm = NormalizeL2(axis: -1, epsilon: epsilon)
    let line = try byHead(query, layout.width)
    let direction = try line.applying(norm)
    let shares = try byHead(site.output(1), layout.slots)
    let headKeys = try keys.reshaped(to: [layout.heads, layout.slots, layout.width])
    let headValues = try values.reshaped(to: [layout.heads, layout.slots, layout.outputs])
    let byRead = try site.gradient().reshaped(to: [1, layout.rows, layout.outputs])

    var byShares = try byRead.applying(MatMul(), headValues.transposedMatrices())
    if site.hasGradient(1) { byShares = try byShares + byHead(site.gradient(1), layout.slots) }
    let byScores = try shares * (byShares - (byShares * shares).sum([2]))
    let byDirection = try byScores.applying(MatMul(), headKeys)
    let byLine = try norm.gradient(byDirection, x: line, y: direction, axis: 2)
    let byKeys = try byScores.transposedMatrices().applying(MatMul(), direction)
    let byValues = try shares.transposedMatrices().applying(MatMul(), byRead)
    return [
      try byLine.transposed([1, 0, 2]).reshaped(to: query.shape),
      try byKeys.reshaped(to: keys.shape),
      try byValues.reshaped(to: values.shape),
      try byRead.sum([0, 1]).reshaped(to: [layout.outputs]),
    ]
  }
}
