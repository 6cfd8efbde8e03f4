import ModelIR
import ModelOperators
import TensorCore

/// A value that was computed once, as a rule that gives it for any number of rows.
struct StoredValue {
  private enum Rule {
    /// The same whatever the number.
    case constant(Tensor)
    /// The block once for each row, along each of these axes.
    case blocks(Tensor, axes: [Int])
    /// Integers first + step · (rows − 1), of rank 0 or 1.
    case numbers(first: [Int64], step: [Int64], rank: Int)
  }

  /// Numbers that follow the rows are extents, of which there are few.
  private static let numbersLimit = 64
  private let rule: Rule

  /// - Parameter made: the value for one row and, where there can be more, for two and three.
  /// - Returns: nil where it follows no rule.
  init?(_ made: [Tensor]) throws(ModelError) {
    let first = made[0]
    if made.allSatisfy({ $0 == first }) {
      rule = .constant(first)
      return
    }
    if made.allSatisfy({ $0.shape == first.shape }), first.element == .int64,
      first.shape.rank <= 1, first.count <= StoredValue.numbersLimit
    {
      let values = made.map { $0.integers() }
      let steps = zip(values[0], values[1]).map { $1.subtractingReportingOverflow($0) }
      let nexts = zip(values[1], values[2]).map { $1.subtractingReportingOverflow($0) }
      guard zip(steps, nexts).allSatisfy({ $0 == $1 && !$0.overflow }) else { return nil }
      rule = .numbers(
        first: values[0], step: steps.map(\.partialValue), rank: first.shape.rank)
      return
    }
    let axes = (0..<first.shape.rank).filter { axis in
      made.contains { $0.shape.rank == first.shape.rank && $0.shape[axis] != first.shape[axis] }
    }
    for (index, tensor) in made.enumerated() {
      let counts = (0..<first.shape.rank).map { axes.contains($0) ? index + 1 : 1 }
      guard try tensor == first.tiled(counts) else { return nil }
    }
    rule = .blocks(first, axes: axes)
  }

  var isConstant: Bool { if case .constant = rule { true } else { false } }

  /// Bytes that are stored for it.
  var byteCount: Int {
    switch rule {
    case .constant(let tensor), .blocks(let tensor, _): tensor.byteCount
    case .numbers: 0
    }
  }

  /// Appends the value under its name.
  func append(
    to graph: inout Graph, named name: String, _ rows: inout RowNumbers
  ) throws(ModelError) -> ValueID {
    switch rule {
    case .constant(let tensor):
      return graph.addConstant(tensor, named: name)
    case .blocks(let block, let axes):
      let row = graph.addConstant(block, named: "\(name).row")
      // One vector serves both: Expand takes an extent of 1 for any.
      let counts = try rows.vector(
        (0..<block.shape.rank).map { .init(axes.contains($0) ? 0 : 1, axes.contains($0) ? 1 : 0) },
        in: &graph)
      let isRow = axes.allSatisfy { block.shape[$0] == 1 }
      let op: any Operator = isRow ? Expand() : Tile()
      return try graph.appendOne(
        op, named: name, to: [row, counts], quantizedAs: block.quantization)
    case .numbers(let first, let step, let rank):
      let vector = try rows.vector(
        zip(first, step).map { .init($0 &- $1, $1) }, in: &graph)
      guard rank == 0 else { return vector }
      let scalar = graph.addConstant(
        try Tensor(Shape([0]), [Int64]()), named: "\(name).rank")
      return try graph.appendOne(Reshape(), named: name, to: [vector, scalar])
    }
  }
}

/// Integers that follow the number of rows, each vector of them made once.
struct RowNumbers {
  /// constant + factor · rows
  struct Term: Hashable {
    let constant: Int64
    let factor: Int64

    init(_ constant: Int64, _ factor: Int64) {
      self.constant = constant
      self.factor = factor
    }
  }

  /// How many rows there are, as a vector of one integer.
  private let rows: ValueID?
  private let name: String
  private var made: [[Term]: ValueID] = [:]

  /// - Parameters:
  ///   - input: what the number is read off, along `axis`; nil where no value follows it.
  ///   - name: what nodes are called after.
  init(
    of input: ValueID?, axis: Int, named name: String, in graph: inout Graph
  ) throws(ModelError) {
    self.name = name
    rows = try input.map { (input) throws(ModelError) in
      try graph.appendOne(ShapeOf(start: axis, end: axis + 1), named: name, to: [input])
    }
  }

  mutating func vector(
    _ terms: [Term], in graph: inout Graph
  ) throws(ModelError) -> ValueID {
    if let known = made[terms] { return known }
    let id: ValueID
    if terms.count == 1 {
      id = try number(terms[0], in: &graph)
    } else {
      var parts: [ValueID] = []
      for term in terms { parts.append(try vector([term], in: &graph)) }
      id = try graph.appendOne(Concat(axis: 0), named: "\(name)s", to: parts)
    }
    made[terms] = id
    return id
  }

  private func number(_ term: Term, in graph: inout Graph) throws(ModelError) -> ValueID {
    func constant(_ value: Int64) -> ValueID {
      graph.addConstant(Tensor(vector: [value]), named: "\(value)")
    }
    guard term.factor != 0 else { return constant(term.constant) }
    guard var sum = rows else {
      throw ModelError(.invalidGraph, "there are no rows that \(name) follows")
    }
    if term.factor != 1 {
      sum = try graph.appendOne(Mul(), named: "\(name).product", to: [sum, constant(term.factor)])
    }
    if term.constant != 0 {
      sum = try graph.appendOne(Add(), named: "\(name).sum", to: [sum, constant(term.constant)])
    }
    return sum
  }
}
