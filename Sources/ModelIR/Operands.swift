import TensorCore

/// What is known of a value: its type and, where it is constant, its content.
package struct Fact: Sendable {
  package let type: TensorType
  /// The content of a constant.
  package let constant: Tensor?
  /// The elements of a shape vector (or scalar) as extents, where at least the count is known.
  package let extents: [Dimension]?

  package init(_ type: TensorType, constant: Tensor? = nil, extents: [Dimension]? = nil) {
    self.type = type
    self.constant = constant
    if let extents {
      self.extents = extents
    } else if let constant, constant.element.isInteger, constant.shape.rank <= 1,
      constant.count <= 64, constant.quantization == nil
    {
      self.extents = constant.integers().map { .fixed(Int($0)) }
    } else {
      self.extents = nil
    }
  }

  /// The fact of a constant.
  package init(_ constant: Tensor) { self.init(constant.type, constant: constant) }

  package var element: ElementType { type.element }

  /// The extents so far.
  ///
  /// - Throws: `unknown-shape` where not even the rank is known; `Graph` then leaves the shapes of
  ///   the operator's outputs open.
  package func dimensions() throws(ModelError) -> [Dimension] {
    guard let dimensions = type.dimensions else {
      throw ModelError(.unknownShape, "the rank is not known")
    }
    return dimensions
  }

  /// The content of an operand that must be constant for the output shape to be known.
  ///
  /// - Throws: `unknown-shape` where the content is not known yet.
  package func content() throws(ModelError) -> Tensor {
    guard let constant else { throw ModelError(.unknownShape, "the content is not known") }
    return constant
  }
}

/// The operands of one application, some of which may be absent (ONNX's empty input names).
package struct Operands<Element> {
  package let values: [Element?]

  package init(_ values: [Element?]) { self.values = values }

  package var count: Int { values.count }

  /// Operand `index`, which the operator cannot do without.
  ///
  /// - Throws: `invalid-value` where it is absent.
  package func required(_ index: Int) throws(ModelError) -> Element {
    guard index < values.count, let value = values[index] else {
      throw ModelError(.invalidValue, "operand \(index) is missing")
    }
    return value
  }

  package func optional(_ index: Int) -> Element? {
    index < values.count ? values[index] : nil
  }

  /// Every operand, none of which may be absent.
  package func all() throws(ModelError) -> [Element] {
    var present: [Element] = []
    for index in values.indices { present.append(try required(index)) }
    return present
  }

  package func map<Other>(
    _ transform: (Element) throws(ModelError) -> Other
  ) throws(ModelError) -> Operands<Other> {
    var mapped: [Other?] = []
    for value in values {
      if let value { mapped.append(try transform(value)) } else { mapped.append(nil) }
    }
    return Operands<Other>(mapped)
  }

  /// - Throws: `invalid-value` where the count is outside `range`.
  package func expect(_ range: ClosedRange<Int>) throws(ModelError) {
    guard range.contains(values.count) else {
      let expected =
        range.lowerBound == range.upperBound
        ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
      throw ModelError(.invalidValue, "\(values.count) operands given, \(expected) expected")
    }
  }
}

extension Operands: Sendable where Element: Sendable {}
