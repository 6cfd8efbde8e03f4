import ModelIR
import TensorCore

/// The different elements of X (or slices along `axis`), ascending or in the order in which they first
/// occur; the index of each one's first occurrence; for each element of X its index among them; and
/// how often each occurs. How many there are depends on the data. ONNX Unique 11–28.
package struct Unique: Operator {
  package static let name = "Unique"
  package static let fields = [Field("axis", \Unique.axis), Field("sorted", \Unique.isSorted)]

  /// Counted from the end where negative; nil for the flattened tensor.
  package var axis: Int?
  package var isSorted = true

  package init() {}
  package init(axis: Int?, sorted: Bool) {
    self.axis = axis
    isSorted = sorted
  }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    let open = TensorType(.int64, [.unknown])
    guard let axis else { return [x.type.with(dimensions: [.unknown]), open, open, open] }
    var dimensions = try x.dimensions()
    let index = try Shape.resolve(axis: axis, rank: dimensions.count)
    guard dimensions.indices.contains(index) else {
      throw ModelError(.shapeMismatch, "UN1: Unique of a scalar along an axis")
    }
    dimensions[index] = .unknown
    return [x.type.with(dimensions: dimensions), open, open, open]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [try inputs.required(0).element, .int64, .int64, .int64]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    var x = try inputs.required(0)
    if axis == nil { x = try x.reshaped(to: Shape([x.count])) }
    let index = try Shape.resolve(axis: axis ?? 0, rank: x.shape.rank)
    let groups = try ReductionGroups(
      x.shape, reducing: (0..<x.shape.rank).filter { $0 != index }, keepDimensions: false)
    let found: Found
    if x.element.isFloatingPoint {
      found = find(groups.map(x.doubles()) { $0 })
    } else if x.element == .uint64 {
      found = find(groups.map(x.integers().map { UInt64(bitPattern: $0) }) { $0 })
    } else {
      found = find(groups.map(x.integers()) { $0 })
    }
    let maps = x.shape.dimensions.enumerated().map {
      $0.offset == index ? found.first : Array(0..<$0.element)
    }
    let all = AxisMaps(maps: maps)
    return [
      x.gathering(try Shape(all.extents), from: all.sources(in: x.shape)),
      Tensor(vector: found.first.map { Int64($0) }),
      Tensor(vector: found.inverse.map { Int64($0) }),
      Tensor(vector: found.counts.map { Int64($0) }),
    ]
  }

  private struct Found {
    /// Index of the first of each group of equals.
    var first: [Int] = []
    /// Which group each slice belongs to.
    var inverse: [Int]
    var counts: [Int] = []
  }

  private func find<Value: Comparable>(_ slices: [[Value]]) -> Found {
    let order = slices.indices.sorted { (a, b) in
      for (p, q) in zip(slices[a], slices[b]) where p != q { return p < q }
      return a < b
    }
    var groups: [[Int]] = []
    for index in order {
      if let last = groups.last, slices[last[0]] == slices[index] {
        groups[groups.count - 1].append(index)
      } else {
        groups.append([index])
      }
    }
    if !isSorted { groups.sort { $0[0] < $1[0] } }
    var found = Found(inverse: [Int](repeating: 0, count: slices.count))
    for (number, members) in groups.enumerated() {
      found.first.append(members[0])
      found.counts.append(members.count)
      for member in members { found.inverse[member] = number }
    }
    return found
  }
}

extension Unique: ImportableOperator {
  package static let importers = [
    Importer("Unique", 11...newestOpset) { node throws(ModelError) in
      Unique(axis: try node.optional("axis"), sorted: try node.flag("sorted", default: true))
    }
  ]
}
