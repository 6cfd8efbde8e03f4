import ModelIR
import TensorCore

/// Rotates pairs of features by an angle that depends on their position:
/// (a, b) → (a cos − b sin, a sin + b cos).
///
/// Operands: X [batch, heads, length, size] or [batch, length, heads · size], cos and sin [positions,
/// size / 2] with positions [batch, length], or [batch, length, size / 2] without. Only the first
/// `rotated` features of a head turn, if that is not 0. Clauses `RE1`… of `formats/operators.md`; ONNX
/// RotaryEmbedding 23.
package struct RotaryEmbedding: Operator {
  package static let name = "RotaryEmbedding"
  package static let fields = [
    Field("interleaved", \RotaryEmbedding.interleaved),
    Field("rotated", \RotaryEmbedding.rotated),
    Field("heads", \RotaryEmbedding.heads),
  ]

  /// Pairs are neighbours; elsewhere a feature is paired with the one half a head later.
  package var interleaved = false
  package var rotated = 0
  /// Heads of an operand of rank 3.
  package var heads = 0

  package init() {}
  package init(interleaved: Bool, rotated: Int, heads: Int) {
    self.interleaved = interleaved
    self.rotated = rotated
    self.heads = heads
  }
}

// MARK: - Types

extension RotaryEmbedding {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...4)
    let (x, cos, sin) = (try inputs.required(0), try inputs.required(1), try inputs.required(2))
    guard x.element.isFloatingPoint, cos.element == x.element, sin.element == x.element else {
      throw ModelError(.typeMismatch, "RE1: a rotation of \(x.element) by \(cos.element)")
    }
    let dimensions = try x.dimensions()
    let positions = inputs.optional(3)
    guard dimensions.count == 4 || (dimensions.count == 3 && heads >= 1),
      try cos.dimensions().count == (positions == nil ? 3 : 2),
      try sin.dimensions().count == cos.dimensions().count,
      try zip(sin.dimensions(), cos.dimensions()).allSatisfy({ $0.mayEqual($1) })
    else {
      throw ModelError(.shapeMismatch, "RE2: a rotation of \(x.type) by \(cos.type), \(sin.type)")
    }
    let last = dimensions[dimensions.count - 1].value
    if let size = last.map({ dimensions.count == 4 ? $0 : $0 / heads }) {
      let turned = rotated == 0 ? size : rotated
      guard turned >= 0, turned <= size, turned % 2 == 0,
        try (cos.dimensions().last ?? 1).mayEqual(.fixed(turned / 2))
      else { throw ModelError(.invalidValue, "RE3: \(turned) of \(size) features rotate") }
    }
    if let positions {
      guard positions.element.isInteger else {
        throw ModelError(.typeMismatch, "RE1: positions are \(positions.element)")
      }
      let places = try positions.dimensions()
      guard places.count == 2, places[0].mayEqual(dimensions[0]),
        places[1].mayEqual(dimensions[dimensions.count == 4 ? 2 : 1])
      else { throw ModelError(.shapeMismatch, "RE2: positions of \(positions.type) for \(x.type)") }
    }
    return [x.type]
  }
}

// MARK: - Reference

extension RotaryEmbedding {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let layout = AttentionHeads(x.shape, heads: heads)
    let table = try inputs.required(1)
    let (cosines, sines) = (table.doubles(), try inputs.required(2).doubles())
    let positions = inputs.optional(3)?.integers().map { Int($0) }
    let turned = rotated == 0 ? layout.size : rotated
    let half = turned / 2
    let rows = table.shape.count(0..<table.shape.rank - 1)
    var values = x.doubles()
    for n in 0..<layout.batch {
      for row in 0..<layout.length {
        let place = n * layout.length + row
        let position = positions?[place] ?? place
        guard position >= 0, position < rows else {
          throw ModelError(.invalidValue, "RE4: position \(position) is outside the table")
        }
        for head in 0..<layout.heads {
          let start = layout.start(n, head, row)
          for i in 0..<half {
            let first = start + (interleaved ? 2 * i : i)
            let second = start + (interleaved ? 2 * i + 1 : half + i)
            let (a, b) = (values[first], values[second])
            let (c, s) = (cosines[position * half + i], sines[position * half + i])
            values[first] = c * a - s * b
            values[second] = s * a + c * b
          }
        }
      }
    }
    return [Tensor(x.element, x.shape, doubles: values)]
  }
}

// MARK: - Import

extension RotaryEmbedding: ImportableOperator {
  package static let importers = [
    Importer("RotaryEmbedding", 23...newestOpset) { node throws(ModelError) in
      RotaryEmbedding(
        interleaved: try node.flag("interleaved", default: false),
        rotated: try node.attribute("rotary_embedding_dim", default: 0),
        heads: try node.attribute("num_heads", default: 0))
    }
  ]
}
