/// One extent of a shape that may not be known before planning.
package enum Dimension: Sendable, Hashable {
  case fixed(Int)
  /// A named extent; equal names are equal extents.
  case symbol(String)
  case unknown

  package var value: Int? { if case .fixed(let value) = self { value } else { nil } }

  /// Applies exact integer arithmetic where both extents are fixed; unknown otherwise.
  package static func combine(_ a: Dimension, _ b: Dimension, _ f: (Int, Int) -> Int) -> Dimension {
    if case .fixed(let x) = a, case .fixed(let y) = b { return .fixed(f(x, y)) }
    return .unknown
  }
}

extension Dimension: ExpressibleByIntegerLiteral {
  package init(integerLiteral value: Int) { self = .fixed(value) }
}

extension Dimension: CustomStringConvertible {
  package var description: String {
    switch self {
    case .fixed(let value): String(value)
    case .symbol(let name): name
    case .unknown: "?"
    }
  }
}

/// How integers stand for real numbers: real = (q − zeroPoint) · scale (`Q4`, `Q6` of
/// `formats/quantization.md`).
package struct QuantizationParameters: Sendable, Hashable {
  /// One scale for the tensor, or one for each index along ``axis``. All are finite and above 0.
  package let scales: [Float]
  /// Always 0 where there is an axis.
  package let zeroPoint: Int32
  package let axis: Int?

  package init(scale: Float, zeroPoint: Int32) {
    scales = [scale]
    self.zeroPoint = zeroPoint
    axis = nil
  }

  package init(perChannel scales: [Float], axis: Int) {
    self.scales = scales
    zeroPoint = 0
    self.axis = axis
  }

  /// The scale of a per-tensor parameter set.
  package var scale: Float { scales[0] }
}

/// What is known of a tensor before it exists: element type, shape so far, and quantization.
package struct TensorType: Sendable, Hashable {
  package let element: ElementType
  /// Nil where not even the rank is known.
  package let dimensions: [Dimension]?
  /// Present on tensors of integers that stand for real numbers.
  package let quantization: QuantizationParameters?
  /// True for a sequence of tensors of this element type; ``dimensions`` are what all of them have.
  package let isSequence: Bool

  package init(
    _ element: ElementType, _ dimensions: [Dimension]?,
    quantization: QuantizationParameters? = nil
  ) {
    self.element = element
    self.dimensions = dimensions
    self.quantization = quantization
    isSequence = false
  }

  private init(_ type: TensorType, isSequence: Bool) {
    element = type.element
    dimensions = type.dimensions
    quantization = nil
    self.isSequence = isSequence
  }

  /// The type of sequences whose tensors have type `member`.
  package static func sequence(of member: TensorType) -> TensorType {
    TensorType(member, isSequence: true)
  }

  /// The type of a sequence's tensors.
  package var member: TensorType { TensorType(self, isSequence: false) }

  package init(
    _ element: ElementType, _ shape: Shape, quantization: QuantizationParameters? = nil
  ) {
    self.init(element, shape.dimensions.map(Dimension.fixed), quantization: quantization)
  }

  package var rank: Int? { dimensions?.count }

  /// The shape, where every extent is known; a sequence has none.
  package var shape: Shape? {
    guard !isSequence, let dimensions else { return nil }
    var extents: [Int] = []
    for dimension in dimensions {
      guard let value = dimension.value else { return nil }
      extents.append(value)
    }
    return try? Shape(extents)
  }

  /// The type of the real numbers that this tensor stands for: quantized integers read as float32.
  package var logical: TensorType {
    quantization == nil ? self : TensorType(.float32, dimensions)
  }

  /// - Throws: what ``Shape`` throws for the extents that are known.
  package func checkLimits() throws(ModelError) {
    guard let dimensions else { return }
    guard dimensions.count <= Shape.maximumRank else {
      throw ModelError(
        .limitExceeded, "rank \(dimensions.count) is above the maximum of \(Shape.maximumRank)")
    }
    _ = try Shape(dimensions.compactMap(\.value))
  }

  /// What is known of a tensor that has this type or the other: extents that differ are unknown, and so
  /// is a rank that does.
  ///
  /// - Throws: `type-mismatch` for different elements.
  package func joined(with other: TensorType) throws(ModelError) -> TensorType {
    guard element == other.element, quantization == other.quantization,
      isSequence == other.isSequence
    else {
      throw ModelError(.typeMismatch, "\(self) and \(other) have no common type")
    }
    guard let mine = dimensions, let theirs = other.dimensions, mine.count == theirs.count else {
      return with(dimensions: nil)
    }
    return with(dimensions: zip(mine, theirs).map { $0 == $1 ? $0 : .unknown })
  }

  /// False where no tensor can have both types: other elements, ranks or fixed extents.
  package func isCompatible(with other: TensorType) -> Bool {
    guard element == other.element, isSequence == other.isSequence else { return false }
    guard let mine = dimensions, let theirs = other.dimensions else { return true }
    return mine.count == theirs.count
      && zip(mine, theirs).allSatisfy { ($0.value ?? $1.value) == ($1.value ?? $0.value) }
  }

  package func with(element: ElementType) -> TensorType {
    TensorType(element, dimensions)
  }

  package func with(dimensions: [Dimension]?) -> TensorType {
    let tensor = TensorType(element, dimensions, quantization: quantization)
    return isSequence ? TensorType.sequence(of: tensor) : tensor
  }
}

extension TensorType: CustomStringConvertible {
  /// As in the text form: `float32[N×512]`, `int8[1×16] @0.5+3`.
  package var description: String {
    let extents = dimensions.map { "[" + $0.map(\.description).joined(separator: "×") + "]" }
    let base = (isSequence ? "sequence " : "") + element.rawValue + (extents ?? "[…]")
    guard let quantization else { return base }
    if let axis = quantization.axis { return base + " @axis\(axis)" }
    return base + " @\(quantization.scale)+\(quantization.zeroPoint)"
  }
}
