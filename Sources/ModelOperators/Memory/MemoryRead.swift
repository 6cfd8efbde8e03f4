import Foundation
import ModelIR
import TensorCore

/// What a key-value memory recalls: each head's part of a query is turned into a direction, its products with the
/// head's keys go through a softmax, and these shares weigh the values:
/// y = Σ pₕₛ · vₕₛ + b, pₕ = softmax(⟨qₕ / max(‖qₕ‖, ε), kₕₛ⟩ over the slots s).
///
/// Operands: query [… , heads · width], keys [heads · slots, width], values [heads · slots, outputs],
/// bias? [outputs]. Outputs: what is read [… , outputs], and the address [… , heads · slots]. The radius is in the
/// length of the keys, and a linear layer that reads every head in the values. Clauses `KV1`… of
/// `formats/operators.md`; no ONNX kind: a pass makes it.
package struct MemoryRead: ImportableOperator {
  package static let name = "MemoryRead"
  package static let fields = [
    Field("heads", \MemoryRead.heads), Field("epsilon", \MemoryRead.epsilon),
    Field("least_share", \MemoryRead.leastShare),
  ]

  package var heads = 1
  package var epsilon: Float = 1e-12
  /// Slots with a smaller share are not read; the address has their shares all the same. At most one of a head's slots.
  package var leastShare: Float = 0

  package init() {}
  package init(heads: Int, epsilon: Float, leastShare: Float = 0) {
    self.heads = heads
    self.epsilon = epsilon
    self.leastShare = leastShare
  }

  /// By how much at most any number that is read differs from one that every slot is read for: no slot that is left out
  /// adds more than ``leastShare`` of its value, and a head's shares add up to 1.
  ///
  /// - Parameter values: operand 2, constant.
  package func greatestLoss(_ values: Tensor) -> Double {
    let (rows, columns) = (values.shape[0], values.shape[1])
    let magnitudes = values.dequantized().doubles().map(abs)
    // A share in integers is off by half a step of 65,535.
    let share = leastShare == 0 ? 0 : Double(leastShare) + 1 / Double(IntegerMemory.shareSteps)
    return (0..<columns).map { column in
      let own = (0..<rows).map { magnitudes[$0 * columns + column] }
      return min(share * own.reduce(0, +), Double(heads) * (own.max() ?? 0))
    }.max() ?? 0
  }
}

// MARK: - Types

extension MemoryRead {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...4)
    let (query, keys, values) = (
      try inputs.required(0), try inputs.required(1), try inputs.required(2)
    )
    guard query.element.isFloatingPoint,
      try inputs.all().allSatisfy({ $0.element == query.element })
    else { throw ModelError(.typeMismatch, "KV1: a memory of several types or of whole numbers") }
    let (rows, key, value) = (
      try query.dimensions(), try keys.dimensions(), try values.dimensions()
    )
    let reject = ModelError(
      .shapeMismatch,
      "KV2: a query of \(query.type), keys of \(keys.type), values of \(values.type)")
    guard let depth = rows.last, key.count == 2, value.count == 2, key[0].mayEqual(value[0]),
      depth.mayEqual(Dimension.combine(key[1], .fixed(heads), *))
    else { throw reject }
    guard heads >= 1, epsilon > 0, epsilon < .infinity else {
      throw ModelError(.invalidValue, "KV3: \(heads) heads, epsilon \(epsilon)")
    }
    guard leastShare >= 0, leastShare <= 1 else {
      throw ModelError(.invalidValue, "KV6: a least share of \(leastShare)")
    }
    if let slots = key[0].value {
      guard slots >= heads, slots % heads == 0 else {
        throw ModelError(.shapeMismatch, "KV4: \(slots) slots for \(heads) heads")
      }
      guard Double(leastShare) * Double(slots / heads) <= 1 else {
        throw ModelError(
          .invalidValue,
          "KV6: a least share of \(leastShare), where \(slots / heads) slots may have as little as 1/\(slots / heads) each"
        )
      }
    }
    if let bias = inputs.optional(3) {
      let extents = try bias.dimensions()
      guard extents.count == 1, extents[0].mayEqual(value[1]) else {
        throw ModelError(.shapeMismatch, "KV5: a bias of \(bias.type) for values of \(values.type)")
      }
    }
    return [
      TensorType(query.element, rows.dropLast() + [value[1]]),
      TensorType(query.element, rows.dropLast() + [key[0]]),
    ]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [ElementType](repeating: try inputs.required(0).element, count: 2)
  }
}

/// The extents of one read.
struct MemoryLayout: Sendable {
  let rows: Int
  let heads: Int
  /// Slots of one head.
  let slots: Int
  let width: Int
  let outputs: Int

  init(_ op: MemoryRead, query: Shape, keys: Shape, values: Shape) {
    rows = query.count(0..<query.rank - 1)
    heads = op.heads
    slots = keys[0] / op.heads
    width = keys[1]
    outputs = values[1]
  }

  var allSlots: Int { heads * slots }
  var multiplyAccumulates: Int { rows * allSlots * (width + outputs) }
}

// MARK: - Reference

extension MemoryRead {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (query, keys, values) = (
      try inputs.required(0), try inputs.required(1), try inputs.required(2)
    )
    let layout = MemoryLayout(self, query: query.shape, keys: keys.shape, values: values.shape)
    let (q, k, v) = (query.doubles(), keys.doubles(), values.doubles())
    let bias = inputs.optional(3)?.doubles() ?? [Double](repeating: 0, count: layout.outputs)
    var address: [Double] = []
    var read: [Double] = []
    for row in 0..<layout.rows {
      var shares: [Double] = []
      for head in 0..<layout.heads {
        let start = (row * layout.heads + head) * layout.width
        let direction = NormalizeL2(axis: 0, epsilon: epsilon)
          .apply(Array(q[start..<start + layout.width]))
        let scores = (0..<layout.slots).map { slot in
          let key = (head * layout.slots + slot) * layout.width
          return (0..<layout.width).reduce(0) { $0 + direction[$1] * k[key + $1] }
        }
        let greatest = scores.max() ?? 0
        let powers = scores.map { exp($0 - greatest) }
        let sum = powers.reduce(0, +)
        shares += powers.map { $0 / sum }
      }
      var sums = bias
      for (slot, share) in shares.enumerated() where !(share < Double(leastShare)) {
        for output in 0..<layout.outputs {
          sums[output] += share * v[slot * layout.outputs + output]
        }
      }
      address += shares
      read += sums
    }
    let outer = query.shape.dimensions.dropLast()
    return [
      Tensor(query.element, try Shape(outer + [layout.outputs]), doubles: read),
      Tensor(query.element, try Shape(outer + [layout.allSlots]), doubles: address),
    ]
  }
}
