import Foundation
import ModelIR
import TensorCore

/// Attention by a state instead of all keys. For each step of each head, with state S [key size × value
/// size]: S ← exp(g) S where `gated`; v ← β (v − Sᵀ k) where `corrected`; S ← S + k vᵀ; y = s · Sᵀ q.
///
/// Operands: Q, K, V [batch, time, heads · size], past state [batch, heads, key size, value size]?, decay
/// g? (one for each head, or for each key feature), β? (one for each head, or one). Outputs: Y and the
/// last state. Clauses `LA1`… of `formats/operators.md`; ONNX LinearAttention 27.
package struct LinearAttention: Operator {
  package static let name = "LinearAttention"
  package static let fields = [
    Field("queryHeads", \LinearAttention.queryHeads), Field("keyHeads", \LinearAttention.keyHeads),
    Field("gated", \LinearAttention.gated), Field("corrected", \LinearAttention.corrected),
    Field("scale", \LinearAttention.scale),
  ]

  package var queryHeads = 1
  package var keyHeads = 1
  package var gated = true
  package var corrected = true
  /// 0 for 1 / √size.
  package var scale: Float = 0

  package init() {}
}

extension LinearAttention {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...6)
    let (q, k, v) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    guard q.element.isFloatingPoint, k.element == q.element, v.element == q.element else {
      throw ModelError(.typeMismatch, "LA1: attention of \(q.element), \(k.element), \(v.element)")
    }
    let (query, key, value) = (try q.dimensions(), try k.dimensions(), try v.dimensions())
    guard query.count == 3, key.count == 3, value.count == 3, keyHeads >= 1, queryHeads >= 1,
      queryHeads % keyHeads == 0
    else { throw ModelError(.shapeMismatch, "LA2: attention of \(q.type), \(k.type), \(v.type)") }
    for (width, heads) in [(query[2], queryHeads), (key[2], keyHeads), (value[2], keyHeads)] {
      guard (width.value ?? heads) % heads == 0 else {
        throw ModelError(.shapeMismatch, "LA2: \(width) features of \(heads) heads")
      }
    }
    guard gated == (inputs.optional(4) != nil), corrected == (inputs.optional(5) != nil) else {
      throw ModelError(.invalidValue, "LA3: a decay or β that the rule does not have, or lacks")
    }
    let size = Dimension.combine(query[2], .fixed(queryHeads)) { $0 / $1 }
    let width = Dimension.combine(value[2], .fixed(keyHeads)) { $0 / $1 }
    let state = inputs.optional(3)?.element ?? q.element
    return [
      TensorType(
        q.element,
        [query[0], query[1], Dimension.combine(width, .fixed(queryHeads), *)]),
      TensorType(state, [query[0], .fixed(keyHeads), size, width]),
    ]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let element = try inputs.required(0).element
    return [element, inputs.optional(3)?.element ?? element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (q, k, v) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    let (batch, time) = (q.shape[0], q.shape[1])
    let (size, width) = (q.shape[2] / queryHeads, v.shape[2] / keyHeads)
    let group = queryHeads / keyHeads
    let factor = scale == 0 ? 1 / Double(size).squareRoot() : Double(scale)
    let (query, key, value) = (q.doubles(), k.doubles(), v.doubles())
    let (decay, beta) = (inputs.optional(4), inputs.optional(5))
    let (decays, betas) = (decay?.doubles() ?? [], beta?.doubles() ?? [])
    let past = inputs.optional(3)
    var states =
      past?.doubles() ?? [Double](repeating: 0, count: batch * keyHeads * size * width)
    let shape = try Shape([batch, time, queryHeads * width])
    var result = [Double](repeating: 0, count: shape.count)
    for n in 0..<batch {
      for head in 0..<keyHeads {
        let state = (n * keyHeads + head) * size * width
        for t in 0..<time {
          let row = n * time + t
          if let decay {
            let each = decay.shape[2] == keyHeads ? 1 : size
            for i in 0..<size {
              let gate = decays[(row * keyHeads + head) * each + (each == 1 ? 0 : i)]
              for j in 0..<width { states[state + i * width + j] *= exp(gate) }
            }
          }
          let keys = (row * keyHeads + head) * size
          var line = Array(
            value[(row * keyHeads + head) * width..<(row * keyHeads + head + 1) * width])
          if let beta {
            let strength = betas[row * beta.shape[2] + (beta.shape[2] == 1 ? 0 : head)]
            for j in 0..<width {
              var known = 0.0
              for i in 0..<size { known += states[state + i * width + j] * key[keys + i] }
              line[j] = strength * (line[j] - known)
            }
          }
          for i in 0..<size {
            for j in 0..<width { states[state + i * width + j] += key[keys + i] * line[j] }
          }
          for member in head * group..<(head + 1) * group {
            for j in 0..<width {
              var sum = 0.0
              for i in 0..<size {
                sum += query[(row * queryHeads + member) * size + i] * states[state + i * width + j]
              }
              result[(row * queryHeads + member) * width + j] = factor * sum
            }
          }
        }
      }
    }
    let kept = try Shape([batch, keyHeads, size, width])
    return [
      Tensor(q.element, shape, doubles: result),
      Tensor(past?.element ?? q.element, kept, doubles: states),
    ]
  }
}

extension LinearAttention: ImportableOperator {
  package static let importers = [
    Importer("LinearAttention", 27...newestOpset) { node throws(ModelError) in
      var op = LinearAttention()
      op.queryHeads = try node.required(attribute: "q_num_heads")
      op.keyHeads = try node.required(attribute: "kv_num_heads")
      op.scale = try node.attribute("scale", default: Float(0))
      let rule = try node.choice(
        "update_rule", default: "gated_delta",
        [
          "linear": (false, false), "gated": (true, false), "delta": (false, true),
          "gated_delta": (true, true),
        ])
      (op.gated, op.corrected) = rule
      node.ignore("chunk_size")
      return op
    }
  ]
}
