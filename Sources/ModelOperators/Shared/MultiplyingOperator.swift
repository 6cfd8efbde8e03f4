import ModelIR
import TensorCore

/// An operator most of whose work is products that are summed.
package protocol MultiplyingOperator: Operator {
  /// Products of one evaluation on operands of these shapes with a first output of that shape; positions
  /// outside of an image count like those inside. Nil where the shapes do not fit.
  func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int?
}

/// Extents by the axes that they belong to, nil for axes that the shape does not have.
private func extent(_ shape: Shape?, fromLast index: Int) -> Int? {
  guard let shape, index < shape.rank else { return nil }
  return shape[shape.rank - 1 - index]
}

/// `a`·`b` where it fits in an Int.
private func product(_ a: Int?, _ b: Int?) -> Int? {
  guard let a, let b else { return nil }
  let (value, overflow) = a.multipliedReportingOverflow(by: b)
  return overflow ? nil : value
}

/// Elements of `shape` for each index of its axis `axis`.
private func slice(_ shape: Shape?, _ axis: Int) -> Int? {
  guard let shape, axis < shape.rank, shape[axis] > 0 else { return nil }
  return shape.count / shape[axis]
}

extension Convolution: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    product(output.count, slice(inputs[1], 0))
  }
}

extension TransposedConvolution: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    product(inputs[0]?.count, slice(inputs[1], 0))
  }
}

extension Linear: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    product(output.count, extent(inputs[0], fromLast: 0))
  }
}

extension MatMul: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    product(output.count, extent(inputs[0], fromLast: 0))
  }
}

extension Gemm: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    product(output.count, extent(inputs[0], fromLast: transposeA ? 1 : 0))
  }
}

extension Einsum: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    let shapes = inputs.compactMap { $0 }
    guard shapes.count > 1,
      let axes = try? EinsumEquation(equation, ranks: shapes.map(\.rank))
    else { return nil }
    var extents: [EinsumEquation.Label: Int] = [:]
    for (labels, shape) in zip(axes.operands, shapes) {
      for (label, extent) in zip(labels, shape.dimensions) {
        extents[label] = max(extents[label] ?? 1, extent)
      }
    }
    return extents.values.reduce(Optional(1)) { product($0, $1) }
  }
}

extension Attention: MultiplyingOperator {
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    guard inputs.count > 2, let q = inputs[0], let k = inputs[1], let v = inputs[2],
      q.rank >= 3, k.rank == q.rank, v.rank == q.rank
    else { return nil }
    let query = AttentionHeads(q, heads: queryHeads)
    let past = inputs.count > 4 ? extent(inputs[4], fromLast: 1) ?? 0 : 0
    let keys = AttentionHeads(k, heads: keyHeads).length + past
    let pairs = product(query.batch * query.heads * query.length, keys)
    return product(pairs, query.size + AttentionHeads(v, heads: keyHeads).size)
  }
}

extension MemoryRead: MultiplyingOperator {
  /// The cosines of all slots and the values that their shares weigh.
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    guard inputs.count > 2, let query = inputs[0], let keys = inputs[1], let values = inputs[2],
      query.rank > 0, keys.rank == 2, values.rank == 2
    else { return nil }
    return product(query.count(0..<query.rank - 1), keys[0] * (keys[1] + values[1]))
  }
}

extension RecurrentOperator {
  /// All gates of every step, of both directions where there are two.
  package func multiplyAccumulates(_ inputs: [Shape?], _ output: Shape) -> Int? {
    guard inputs.count > 2, let x = inputs[0], let w = inputs[1], let r = inputs[2], x.rank == 3
    else { return nil }
    return product(x[0] * x[1], w.count + r.count)
  }
}
