import Foundation
import ModelIR
import TensorCore

// MARK: - Reference

extension Attention {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (q, k, v) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    let query = AttentionHeads(q.shape, heads: queryHeads)
    let key = try withPast(k, inputs.optional(4))
    let value = try withPast(v, inputs.optional(5))
    let (few, length) = (key.shape[1], key.shape[2])
    let (size, width) = (query.size, value.shape[3])
    let group = query.heads / few
    let past = inputs.optional(4)?.shape[2] ?? 0
    let valid = inputs.optional(6)?.integers().map { max(0, Int($0)) }
    let mask = try inputs.optional(3).map { (mask) throws(ModelError) in
      try Mask(mask, batch: query.batch, heads: query.heads, rows: query.length)
    }
    let factor = scale.map { Double($0) } ?? 1 / Double(size).squareRoot()
    let (x, keys, values) = (q.doubles(), key.doubles(), value.doubles())
    let y = AttentionHeads(
      try infer(Operands(inputs.values.map { $0.map { Fact($0) } }))[0].shape ?? q.shape,
      heads: query.heads)
    var result = [Double](repeating: 0, count: y.batch * y.heads * y.length * y.size)
    var kept: [Double] = []
    for n in 0..<query.batch {
      let offset = valid.map { $0[n] - query.length } ?? past
      for head in 0..<query.heads {
        let plane = n * few + head / group
        for row in 0..<query.length {
          let bias = (0..<length).map { column in
            isVisible(row + offset, column, valid?[n])
              ? mask?.bias(n, head, row, column) ?? 0 : -Double.infinity
          }
          let start = query.start(n, head, row)
          var line = (0..<length).map { column in
            var sum = 0.0
            for i in 0..<size { sum += x[start + i] * keys[(plane * length + column) * size + i] }
            return sum * factor
          }
          if scores == .raw { kept += line }
          if softcap > 0 {
            line = line.map { Double(softcap) * tanh($0 / Double(softcap)) }
          }
          if scores == .capped { kept += line }
          line = zip(line, bias).map { $0 + $1 }
          if scores == .masked { kept += line }
          let weights = Attention.softmax(line, bias)
          if scores == .weights { kept += weights }
          for (column, weight) in weights.enumerated() where weight != 0 {
            for i in 0..<width {
              result[y.start(n, head, row) + i] +=
                weight * values[(plane * length + column) * width + i]
            }
          }
        }
      }
    }
    let shape = try Shape(
      q.shape.rank == 4
        ? [query.batch, query.heads, query.length, width]
        : [query.batch, query.length, query.heads * width])
    var made = [Tensor(q.element, shape, doubles: result), key, value]
    if outputs == 4 {
      let scores = try Shape([query.batch, query.heads, query.length, length])
      made.append(Tensor(q.element, scores, doubles: kept))
    }
    return Array(made.prefix(outputs))
  }

  /// Whether a query at `place` may see key `column`, the mask apart.
  func isVisible(_ place: Int, _ column: Int, _ valid: Int?) -> Bool {
    if causal, column > place { return false }
    if leftWindow >= 0, place - column > leftWindow { return false }
    if rightWindow >= 0, column - place > rightWindow { return false }
    return valid.map { column < $0 } ?? true
  }

  private static func softmax(_ line: [Double], _ bias: [Double]) -> [Double] {
    let greatest = line.max() ?? -.infinity
    // Nothing to attend to: decided by the bias, so that an infinite score does not matter.
    if greatest == -.infinity || bias.allSatisfy({ $0 == -.infinity }) {
      return [Double](repeating: 0, count: line.count)
    }
    let powers = line.map { exp($0 - greatest) }
    let sum = powers.reduce(0, +)
    return powers.map { $0 / sum }
  }

  /// Key or value as [batch, heads, length, size], after its past.
  private func withPast(_ operand: Tensor, _ past: Tensor?) throws(ModelError) -> Tensor {
    let heads = AttentionHeads(operand.shape, heads: keyHeads)
    let own = operand.doubles()
    let before = past?.doubles() ?? []
    let older = past?.shape[2] ?? 0
    var values: [Double] = []
    values.reserveCapacity(before.count + own.count)
    for n in 0..<heads.batch {
      for head in 0..<heads.heads {
        let plane = (n * heads.heads + head) * older * heads.size
        values += before[plane..<plane + older * heads.size]
        for row in 0..<heads.length {
          let start = heads.start(n, head, row)
          values += own[start..<start + heads.size]
        }
      }
    }
    let shape = try Shape([heads.batch, heads.heads, older + heads.length, heads.size])
    return Tensor(operand.element, shape, doubles: values)
  }
}

extension Attention {
  /// A mask that broadcasts to [batch, heads, rows, columns] and may have too few columns; those that
  /// are missing are not seen.
  struct Mask {
    private let values: [Double]
    private let columns: Int
    private let strides: [Int]
    private let isBoolean: Bool

    init(_ tensor: Tensor, batch: Int, heads: Int, rows: Int) throws(ModelError) {
      values = tensor.doubles()
      isBoolean = tensor.element == .bool
      columns = tensor.shape.rank == 0 ? 1 : tensor.shape[tensor.shape.rank - 1]
      let target = try Shape([batch, heads, rows, columns])
      guard tensor.shape.rank <= 4, try Shape.broadcast(tensor.shape, target) == target else {
        throw ModelError(.shapeMismatch, "AT5: a mask of \(tensor.shape) for \(target)")
      }
      strides = tensor.shape.broadcastStrides(to: target)
    }

    func bias(_ n: Int, _ head: Int, _ row: Int, _ column: Int) -> Double {
      guard column < columns else { return -.infinity }
      let value = values[
        n * strides[0] + head * strides[1] + row * strides[2] + column * strides[3]]
      return isBoolean ? (value != 0 ? 0 : -.infinity) : value
    }
  }
}

// MARK: - Import

extension Attention: ImportableOperator {
  package static let importers = [
    Importer("Attention", 23...newestOpset) { node throws(ModelError) in
      var op = Attention()
      op.causal = try node.flag("is_causal", default: false)
      op.queryHeads = try node.attribute("q_num_heads", default: 0)
      op.keyHeads = try node.attribute("kv_num_heads", default: 0)
      op.scale = try node.optional("scale")
      op.softcap = try node.attribute("softcap", default: Float(0))
      op.leftWindow = try node.attribute("left_window_size", default: -1)
      op.rightWindow = try node.attribute("right_window_size", default: -1)
      let kept = try node.attribute("qk_matmul_output_mode", default: 0)
      guard Scores.allCases.indices.contains(kept) else {
        throw ModelError(.unsupportedAttribute, "AT7: qk_matmul_output_mode \(kept)")
      }
      op.scores = Scores.allCases[kept]
      op.outputs = node.outputCount
      node.ignore("softmax_precision")
      return op
    }
  ]
}
