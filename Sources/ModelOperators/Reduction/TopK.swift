import ModelIR
import TensorCore

/// The `k` greatest (or least) elements along one axis and their indices; of equal elements the one
/// with the lower index comes first, and NaN counts as the greatest. Operands: X and k, a constant of
/// one element. ONNX TopK 1–24 (before 10 k is an attribute). The results are sorted even where the
/// file does not ask for it.
package struct TopK: Operator {
  package static let name = "TopK"
  package static let fields = [
    Field("axis", \TopK.axis), Field("largest", \TopK.takesLargest),
  ]

  /// Counted from the end where negative.
  package var axis = -1
  package var takesLargest = true

  package init() {}
  package init(axis: Int, largest: Bool) {
    self.axis = axis
    takesLargest = largest
  }
}

// MARK: - Types

extension TopK {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let count = try inputs.required(1)
    guard x.element != .bool else { throw ModelError(.typeMismatch, "TK1: TopK of bool") }
    guard count.element == .int64 else {
      throw ModelError(.typeMismatch, "TK2: k is \(count.element), not int64")
    }
    var dimensions = try x.dimensions()
    guard !dimensions.isEmpty else {
      throw ModelError(.shapeMismatch, "TK3: TopK of a scalar")
    }
    let axis = try Shape.resolve(axis: axis, rank: dimensions.count)
    let wanted = count.extents?.first ?? .unknown
    if let wanted = wanted.value {
      guard wanted >= 0, wanted <= dimensions[axis].value ?? wanted else {
        throw ModelError(.invalidValue, "TK4: the top \(wanted) of \(dimensions[axis])")
      }
    }
    dimensions[axis] = wanted
    return [TensorType(x.element, dimensions), TensorType(.int64, dimensions)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [try inputs.required(0).element, .int64]
  }
}

// MARK: - Reference

extension TopK {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    guard let shape = try infer(inputs.facts)[0].shape else {
      throw ModelError(.unknownShape, "the shape of the result")
    }
    let chosen: [[Int]]
    let groups = try ReductionGroups(x.shape, reducing: [axis], keepDimensions: true)
    if x.element.isFloatingPoint {
      chosen = groups.map(x.doubles().map { $0.isNaN ? .infinity : $0 }) {
        order($0, shape[axis])
      }
    } else if x.element == .uint64 {
      chosen = groups.map(x.integers().map { UInt64(bitPattern: $0) }) { order($0, shape[axis]) }
    } else {
      chosen = groups.map(x.integers()) { order($0, shape[axis]) }
    }
    let target = try ReductionGroups(shape, reducing: [axis], keepDimensions: true)
    var sources = [Int](repeating: 0, count: shape.count)
    var indices = [Int64](repeating: 0, count: shape.count)
    for (group, order) in chosen.enumerated() where shape.count > 0 {
      for (rank, index) in order.enumerated() {
        let place = target.starts[group] + target.members[rank]
        sources[place] = groups.starts[group] + groups.members[index]
        indices[place] = Int64(index)
      }
    }
    return [x.gathering(shape, from: sources), Tensor(shape, indices)]
  }

  /// The first `count` indices in order.
  private func order<Value: Comparable>(_ values: [Value], _ count: Int) -> [Int] {
    let sorted = values.indices.sorted { (a, b) in
      if values[a] == values[b] { return a < b }
      return takesLargest ? values[a] > values[b] : values[a] < values[b]
    }
    return Array(sorted.prefix(count))
  }
}

// MARK: - Import

extension TopK: ImportableOperator {
  package static let importers = [
    Importer("TopK", 1...9) { (node, graph) throws(ModelError) in
      let count: Int = try node.required(attribute: "k")
      let op = TopK(axis: try node.attribute("axis", default: -1), largest: true)
      return try node.append(
        op, on: node.operands(adding: [count], as: "k", at: 1, in: &graph), to: &graph)
    },
    Importer("TopK", 10...newestOpset) { node throws(ModelError) in
      node.ignore("sorted")
      return TopK(
        axis: try node.attribute("axis", default: -1),
        largest: try node.flag("largest", default: true))
    },
  ]
}
