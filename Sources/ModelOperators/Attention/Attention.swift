import ModelIR
import TensorCore

/// Scaled dot-product attention: Y = softmax(cap(s · Q Kᵀ) + mask) V for each head.
///
/// Operands: Q, K, V [batch, heads, length, size] or [batch, length, heads · size], mask?, past key?, past
/// value?, valid lengths?. Key and value may have fewer heads, each of which then serves as many query
/// heads. A query that may attend to nothing gives zeros. Outputs 1 to 3, where asked for, are key and
/// value with their past, and the scores. Clauses `AT1`… of `formats/operators.md`; ONNX Attention 23–25.
package struct Attention: Operator {
  package static let name = "Attention"
  package static let fields = [
    Field("causal", \Attention.causal),
    Field("queryHeads", \Attention.queryHeads),
    Field("keyHeads", \Attention.keyHeads),
    Field("scale", \Attention.scale),
    Field("softcap", \Attention.softcap),
    Field("leftWindow", \Attention.leftWindow),
    Field("rightWindow", \Attention.rightWindow),
    Field("scores", \Attention.scores),
    Field("outputs", \Attention.outputs),
  ]

  /// What output 3 holds.
  package enum Scores: String, StringAttribute { case raw, capped, masked, weights }

  /// Query i sees key j only where j ≤ i + the number of keys before the queries.
  package var causal = false
  /// Heads of operands of rank 3; 0 where the operands have rank 4.
  package var queryHeads = 0
  package var keyHeads = 0
  /// Nil for 1 / √size.
  package var scale: Float?
  /// Bound c of the scores: c · tanh(score / c); 0 for none.
  package var softcap: Float = 0
  /// How many keys before and after its own a query sees; −1 for all.
  package var leftWindow = -1
  package var rightWindow = -1
  package var scores = Scores.raw
  package var outputs = 1

  package init() {}
}

// MARK: - Types

extension Attention {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...7)
    let (q, k, v) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    guard q.element.isFloatingPoint, k.element == q.element, v.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "AT1: attention of \(q.element), \(k.element), \(v.element)")
    }
    let reject = ModelError(
      .shapeMismatch, "AT2: attention of \(q.type), \(k.type) and \(v.type)")
    let rank = try q.dimensions().count
    let query = try heads(q.dimensions(), queryHeads, reject)
    let key = try heads(k.dimensions(), keyHeads, reject)
    let value = try heads(v.dimensions(), keyHeads, reject)
    guard query[0].mayEqual(key[0]), key[0].mayEqual(value[0]), key[1].mayEqual(value[1]),
      query[3].mayEqual(key[3]), key[2].mayEqual(value[2])
    else { throw reject }
    if let many = query[1].value, let few = key[1].value, few < 1 || many % few != 0 {
      throw ModelError(.shapeMismatch, "AT3: \(many) query heads for \(few) key heads")
    }
    guard leftWindow >= -1, rightWindow >= -1, (1...4).contains(outputs) else {
      throw ModelError(.invalidValue, "AT4: a window of \(leftWindow) and \(rightWindow)")
    }
    if let mask = inputs.optional(3) {
      guard mask.element == .bool || mask.element.isFloatingPoint, try mask.dimensions().count <= 4
      else { throw ModelError(.typeMismatch, "AT5: a mask of \(mask.type)") }
    }
    if let lengths = try inputs.optional(6)?.dimensions() {
      guard lengths.count == 1, lengths[0].mayEqual(query[0]) else { throw reject }
    }
    guard (inputs.optional(4) == nil) == (inputs.optional(5) == nil) else {
      throw ModelError(.invalidValue, "AT6: a past key and a past value come together")
    }
    var total = key[2]
    if let past = inputs.optional(4) {
      let given = try past.dimensions()
      guard given.count == 4, inputs.optional(6) == nil else { throw reject }
      total = Dimension.combine(total, given[2], +)
    }
    let y: [Dimension] =
      rank == 4
      ? [query[0], query[1], query[2], value[3]]
      : [query[0], query[2], Dimension.combine(query[1], value[3], *)]
    let all = [
      TensorType(q.element, y),
      TensorType(k.element, [key[0], key[1], total, key[3]]),
      TensorType(v.element, [key[0], key[1], total, value[3]]),
      TensorType(q.element, [query[0], query[1], query[2], total]),
    ]
    return Array(all.prefix(outputs))
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let (q, v) = (try inputs.required(0).element, try inputs.required(2).element)
    return Array([q, q, v, q].prefix(max(1, outputs)))
  }

  /// Batch, heads, length and size of an operand.
  private func heads(
    _ dimensions: [Dimension], _ count: Int, _ reject: ModelError
  ) throws(ModelError) -> [Dimension] {
    if dimensions.count == 4 { return dimensions }
    guard dimensions.count == 3, count >= 1 else { throw reject }
    if let width = dimensions[2].value, width % count != 0 { throw reject }
    let size = Dimension.combine(dimensions[2], .fixed(count)) { $0 / $1 }
    return [dimensions[0], .fixed(count), dimensions[1], size]
  }
}

/// One operand of attention as [batch, heads, length, size], whatever its rank.
package struct AttentionHeads: Sendable {
  package let batch: Int
  package let heads: Int
  package let length: Int
  package let size: Int
  package let strides: (batch: Int, head: Int, row: Int)

  package init(_ shape: Shape, heads count: Int) {
    batch = shape[0]
    if shape.rank == 4 {
      (heads, length, size) = (shape[1], shape[2], shape[3])
      strides = (heads * length * size, length * size, size)
    } else {
      (heads, length, size) = (count, shape[1], shape[2] / count)
      strides = (length * heads * size, size, heads * size)
    }
  }

  func start(_ n: Int, _ head: Int, _ row: Int) -> Int {
    n * strides.batch + head * strides.head + row * strides.row
  }
}
