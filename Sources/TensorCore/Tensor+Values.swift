/// Elements as the widest type of their kind: what the reference operators compute in.
extension Tensor {
  /// Every element as a `Double`: floats exactly, integers rounded where above 2⁵³, false and true
  /// as 0 and 1. Quantized integers are read as the integers they are.
  package func doubles() -> [Double] {
    switch element {
    case .float32: array(Float.self) { Double($0) }
    case .float64: array(Double.self) { $0 }
    case .float16: array(Float16.self) { Double($0) }
    case .bfloat16: array(BFloat16.self) { Double($0.float) }
    case .int4, .int8: array(Int8.self) { Double($0) }
    case .uint4, .uint8: array(UInt8.self) { Double($0) }
    case .int16: array(Int16.self) { Double($0) }
    case .uint16: array(UInt16.self) { Double($0) }
    case .int32: array(Int32.self) { Double($0) }
    case .uint32: array(UInt32.self) { Double($0) }
    case .int64: array(Int64.self) { Double($0) }
    case .uint64: array(UInt64.self) { Double($0) }
    case .bool: array(UInt8.self) { $0 == 0 ? 0 : 1 }
    }
  }

  /// Every element as an `Int64`: floats truncated towards zero (saturating, NaN as 0), unsigned
  /// 64-bit integers by bit pattern.
  package func integers() -> [Int64] {
    switch element {
    case .float32: array(Float.self) { Tensor.truncated(Double($0)) }
    case .float64: array(Double.self) { Tensor.truncated($0) }
    case .float16: array(Float16.self) { Tensor.truncated(Double($0)) }
    case .bfloat16: array(BFloat16.self) { Tensor.truncated(Double($0.float)) }
    case .int4, .int8: array(Int8.self) { Int64($0) }
    case .uint4, .uint8: array(UInt8.self) { Int64($0) }
    case .int16: array(Int16.self) { Int64($0) }
    case .uint16: array(UInt16.self) { Int64($0) }
    case .int32: array(Int32.self) { Int64($0) }
    case .uint32: array(UInt32.self) { Int64($0) }
    case .int64: array(Int64.self) { $0 }
    case .uint64: array(UInt64.self) { Int64(bitPattern: $0) }
    case .bool: array(UInt8.self) { $0 == 0 ? 0 : 1 }
    }
  }

  /// Every element as a `Float`.
  package func floats() -> [Float] {
    if element == .float32 { return array(Float.self) { $0 } }
    return doubles().map { Float($0) }
  }

  /// As ``floats()``, in place where they are that already; the buffer dies with the call.
  package func withFloats<R>(_ body: (UnsafeBufferPointer<Float>) -> R) -> R {
    element == .float32
      ? withElements(of: Float.self, body) : floats().withUnsafeBufferPointer(body)
  }

  /// As ``withElements(of:_:_:)``, for floats of any kind.
  package func withFloats<R>(
    _ scratch: ScratchMemory, _ body: (UnsafeBufferPointer<Float>) -> R
  ) throws(ModelError) -> R {
    guard element == .float32 else {
      try load()
      return withFloats(body)
    }
    return try withElements(of: Float.self, scratch) { (values) throws(ModelError) in body(values) }
  }

  /// A tensor of `element` from doubles: rounded to nearest for floats, truncated and wrapped to the
  /// width for integers, non-zero is true for `bool`.
  package init(_ element: ElementType, _ shape: Shape, doubles: [Double]) {
    precondition(doubles.count == shape.count, "\(doubles.count) values do not fill \(shape)")
    switch element {
    case .float32: self.init(shape, doubles.map { Float($0) })
    case .float64: self.init(shape, doubles)
    case .float16: self.init(shape, doubles.map { Float16($0) })
    case .bfloat16: self.init(shape, doubles.map { BFloat16(Float($0)) })
    case .bool: self.init(shape, doubles.map { $0 != 0 })
    default: self.init(element, shape, integers: doubles.map(Tensor.truncated))
    }
  }

  /// A tensor of `element` from integers: wrapped to the width for integers, rounded for floats,
  /// non-zero is true for `bool`.
  package init(_ element: ElementType, _ shape: Shape, integers: [Int64]) {
    precondition(integers.count == shape.count, "\(integers.count) values do not fill \(shape)")
    switch element {
    case .int64: self.init(shape, integers)
    case .uint64: self.init(shape, integers.map { UInt64(bitPattern: $0) })
    case .int32: self.init(shape, integers.map { Int32(truncatingIfNeeded: $0) })
    case .uint32: self.init(shape, integers.map { UInt32(truncatingIfNeeded: $0) })
    case .int16: self.init(shape, integers.map { Int16(truncatingIfNeeded: $0) })
    case .uint16: self.init(shape, integers.map { UInt16(truncatingIfNeeded: $0) })
    case .int8: self.init(shape, integers.map { Int8(truncatingIfNeeded: $0) })
    case .uint8: self.init(shape, integers.map { UInt8(truncatingIfNeeded: $0) })
    case .int4:
      let values = integers.map { Int8(truncatingIfNeeded: ($0 & 15) ^ 8) - 8 }
      self.init(
        .int4, shape,
        writing: { $0.copyBytes(from: values.map { UInt8(bitPattern: $0) }) })
    case .uint4:
      self.init(
        .uint4, shape,
        writing: { $0.copyBytes(from: integers.map { UInt8(truncatingIfNeeded: $0 & 15) }) })
    case .bool: self.init(shape, integers.map { $0 != 0 })
    case .float16, .bfloat16, .float32, .float64:
      self.init(element, shape, doubles: integers.map { Double($0) })
    }
  }

  /// Every element equal to `value`.
  package static func filled(_ element: ElementType, _ shape: Shape, with value: Double) -> Tensor {
    Tensor(element, shape, doubles: [Double](repeating: value, count: shape.count))
  }

  /// Double to Int64 towards zero, saturating, NaN as 0.
  package static func truncated(_ value: Double) -> Int64 {
    if value.isNaN { return 0 }
    if value >= 0x1p63 { return .max }
    if value < -0x1p63 { return .min }
    return Int64(value)
  }

  func array<E: BitwiseCopyable, R>(_: E.Type, _ convert: (E) -> R) -> [R] {
    bytes.bindMemory(to: E.self).map(convert)
  }

  /// The real numbers that quantized integers stand for, as float32 (`Q3`); other tensors as
  /// they are.
  package func dequantized() -> Tensor {
    guard let quantization else { return self }
    let integers = integers()
    guard let axis = quantization.axis else {
      let scale = quantization.scale
      let zero = Int64(quantization.zeroPoint)
      return Tensor(shape, integers.map { Float($0 - zero) * scale })
    }
    let inner = shape.count(axis + 1..<shape.rank)
    let extent = shape[axis]
    return Tensor(
      shape,
      integers.indices.map { Float(integers[$0]) * quantization.scales[$0 / inner % extent] })
  }
}
