import ModelIR
import TensorCore

/// Sum of products in Einstein's notation: `equation` names the axes of each operand and of the result,
/// and every axis that the result leaves out is summed over. "..." stands for axes that broadcast.
///
/// Clauses `ES1`… of `formats/operators.md`; ONNX Einsum 12–28.
package struct Einsum: Operator {
  package static let name = "Einsum"
  package static let fields = [Field("equation", \Einsum.equation)]

  package var equation = ""

  package init() {}
  package init(_ equation: String) { self.equation = equation }
}

/// An equation whose ellipses are written out: each axis has a label, letters and then numbers for the
/// axes of the ellipsis, counted from the last one.
package struct EinsumEquation: Sendable, Hashable {
  package enum Label: Hashable, Sendable {
    case letter(Character)
    /// Axis of the ellipsis, counted from the last.
    case ellipsis(Int)
  }
  package let operands: [[Label]]
  package let result: [Label]

  /// - Parameter ranks: ranks of the operands.
  package init(_ equation: String, ranks: [Int]) throws(ModelError) {
    let text = equation.filter { $0 != " " }
    let sides = EinsumEquation.split(text, at: "->")
    guard sides.count <= 2 else { throw ModelError(.invalidValue, "ES1: '\(equation)'") }
    let terms = sides[0].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    guard terms.count == ranks.count else {
      throw ModelError(
        .invalidValue, "ES2: '\(equation)' has \(terms.count) terms for \(ranks.count) operands")
    }
    var operands: [[Label]] = []
    var width = 0
    for (term, rank) in zip(terms, ranks) {
      let named = term.count { $0.isLetter }
      let open = rank - named
      let labels = try EinsumEquation.labels(term, ellipsis: open, equation)
      guard labels.count == rank, open >= 0 else {
        throw ModelError(.shapeMismatch, "ES3: '\(term)' does not fit rank \(rank)")
      }
      if term.contains(".") { width = max(width, open) }
      operands.append(labels)
    }
    self.operands = operands
    if sides.count == 2 {
      result = try EinsumEquation.labels(sides[1], ellipsis: width, equation)
      let known = Set(operands.joined())
      guard Set(result).count == result.count, result.allSatisfy({ known.contains($0) }) else {
        throw ModelError(.invalidValue, "ES4: the result of '\(equation)'")
      }
    } else {
      var counts: [Character: Int] = [:]
      for character in sides[0] where character.isLetter { counts[character, default: 0] += 1 }
      let once = counts.filter { $0.value == 1 }.keys.sorted {
        $0.unicodeScalars.lexicographicallyPrecedes($1.unicodeScalars)
      }
      result =
        (0..<width).reversed().map { .ellipsis($0) } + once.map { .letter($0) }
    }
  }

  private static func split(_ text: String, at arrow: String) -> [String] {
    var parts = [""]
    var rest = text[...]
    while !rest.isEmpty {
      if rest.hasPrefix(arrow) {
        rest = rest.dropFirst(arrow.count)
        parts.append("")
      } else {
        parts[parts.count - 1].append(rest.removeFirst())
      }
    }
    return parts
  }

  private static func labels(
    _ term: String, ellipsis width: Int, _ equation: String
  ) throws(ModelError) -> [Label] {
    var labels: [Label] = []
    var rest = term[...]
    var seen = false
    while let character = rest.first {
      if rest.hasPrefix("..."), !seen {
        seen = true
        labels += (0..<max(0, width)).reversed().map { .ellipsis($0) }
        rest = rest.dropFirst(3)
      } else if character.isLetter {
        labels.append(.letter(character))
        rest = rest.dropFirst()
      } else {
        throw ModelError(.invalidValue, "ES1: '\(equation)'")
      }
    }
    return labels
  }
}

// MARK: - Types

extension Einsum {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    let operands = try inputs.all()
    guard let first = operands.first, first.element != .bool,
      operands.allSatisfy({ $0.element == first.element })
    else { throw ModelError(.typeMismatch, "ES5: operands of one numeric type needed") }
    var dimensions: [[Dimension]] = []
    for operand in operands { dimensions.append(try operand.dimensions()) }
    let parsed = try EinsumEquation(equation, ranks: dimensions.map(\.count))
    var extents: [EinsumEquation.Label: Dimension] = [:]
    for (labels, own) in zip(parsed.operands, dimensions) {
      for (label, dimension) in zip(labels, own) {
        guard let known = extents[label], known != 1 else {
          extents[label] = dimension
          continue
        }
        guard dimension == 1 || dimension.mayEqual(known) else {
          throw ModelError(
            .shapeMismatch, "ES6: an axis of '\(equation)' is \(known) and \(dimension)")
        }
        if dimension != 1 { extents[label] = known.merged(with: dimension) }
      }
    }
    return [TensorType(first.element, parsed.result.map { extents[$0] ?? .unknown })]
  }
}

// MARK: - Reference

extension Einsum {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let operands = try inputs.all()
    let element = operands[0].element
    let parsed = try EinsumEquation(equation, ranks: operands.map(\.shape.rank))
    // All axes, the result's first; an axis of extent 1 repeats.
    var labels = parsed.result
    for label in parsed.operands.joined() where !labels.contains(label) { labels.append(label) }
    var extents = [Int](repeating: 1, count: labels.count)
    var strides = [[Int]](
      repeating: [Int](repeating: 0, count: labels.count), count: operands.count)
    for (index, operand) in operands.enumerated() {
      let own = operand.shape.strides
      for (axis, label) in parsed.operands[index].enumerated() {
        guard let place = labels.firstIndex(of: label), operand.shape[axis] != 1 else { continue }
        extents[place] = operand.shape[axis]
        strides[index][place] += own[axis]
      }
    }
    let space = try Shape(extents)
    let shape = try Shape(Array(extents.prefix(parsed.result.count)))
    let inner = space.count / max(1, shape.count)
    if element.isInteger {
      let values = operands.map { $0.integers() }
      var sums = [Int64](repeating: 0, count: shape.count)
      Einsum.walk(space, strides) { index, places in
        var product: Int64 = 1
        for (operand, place) in places.enumerated() { product &*= values[operand][place] }
        sums[index / inner] &+= product
      }
      return [Tensor(element, shape, integers: sums)]
    }
    let values = operands.map { $0.doubles() }
    var sums = [Double](repeating: 0, count: shape.count)
    Einsum.walk(space, strides) { index, places in
      var product = 1.0
      for (operand, place) in places.enumerated() { product *= values[operand][place] }
      sums[index / inner] += product
    }
    return [Tensor(element, shape, doubles: sums)]
  }

  /// Calls `body` for each point of `space`, with the place of each operand's element.
  private static func walk(
    _ space: Shape, _ strides: [[Int]], _ body: (_ index: Int, _ places: [Int]) -> Void
  ) {
    var point = [Int](repeating: 0, count: space.rank)
    var places = [Int](repeating: 0, count: strides.count)
    for index in 0..<space.count {
      body(index, places)
      var axis = space.rank - 1
      while axis >= 0 {
        point[axis] += 1
        for operand in places.indices { places[operand] += strides[operand][axis] }
        if point[axis] < space[axis] { break }
        for operand in places.indices { places[operand] -= strides[operand][axis] * space[axis] }
        point[axis] = 0
        axis -= 1
      }
    }
  }
}

// MARK: - Import

extension Einsum: ImportableOperator {
  package static let importers = [
    Importer("Einsum", 12...newestOpset) { node throws(ModelError) in
      Einsum(try node.required(attribute: "equation"))
    }
  ]
}
