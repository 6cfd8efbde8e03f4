/// What one element of a tensor is. Raw values are the names used in the text form and in bundles.
package enum ElementType: String, Sendable, Hashable, CaseIterable {
  case float16, bfloat16, float32, float64
  case int4, uint4, int8, uint8, int16, uint16, int32, uint32, int64, uint64
  case bool

  /// Bytes that one element takes in memory. Four-bit elements are held one to a byte.
  package var byteCount: Int {
    switch self {
    case .int4, .uint4, .int8, .uint8, .bool: 1
    case .float16, .bfloat16, .int16, .uint16: 2
    case .float32, .int32, .uint32: 4
    case .float64, .int64, .uint64: 8
    }
  }

  package var isFloatingPoint: Bool {
    switch self {
    case .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// True for whole-number types; `bool` is not one.
  package var isInteger: Bool { !isFloatingPoint && self != .bool }

  package var isSigned: Bool {
    switch self {
    case .uint4, .uint8, .uint16, .uint32, .uint64, .bool: false
    default: true
    }
  }

  /// The least and greatest value of an integer type that fits `Int64`.
  package var integerRange: ClosedRange<Int64>? {
    switch self {
    case .int4: -8...7
    case .uint4: 0...15
    case .int8: -128...127
    case .uint8: 0...255
    case .int16: -32768...32767
    case .uint16: 0...65535
    case .int32: Int64(Int32.min)...Int64(Int32.max)
    case .uint32: 0...Int64(UInt32.max)
    case .int64: Int64.min...Int64.max
    case .bool: 0...1
    default: nil
    }
  }
}

/// A Swift type that is the memory form of an element type.
package protocol TensorScalar: BitwiseCopyable, Sendable {
  static var elementType: ElementType { get }
}

extension Float: TensorScalar { package static let elementType = ElementType.float32 }
extension Double: TensorScalar { package static let elementType = ElementType.float64 }
extension Float16: TensorScalar { package static let elementType = ElementType.float16 }
extension Int8: TensorScalar { package static let elementType = ElementType.int8 }
extension UInt8: TensorScalar { package static let elementType = ElementType.uint8 }
extension Int16: TensorScalar { package static let elementType = ElementType.int16 }
extension UInt16: TensorScalar { package static let elementType = ElementType.uint16 }
extension Int32: TensorScalar { package static let elementType = ElementType.int32 }
extension UInt32: TensorScalar { package static let elementType = ElementType.uint32 }
extension Int64: TensorScalar { package static let elementType = ElementType.int64 }
extension UInt64: TensorScalar { package static let elementType = ElementType.uint64 }
extension Bool: TensorScalar { package static let elementType = ElementType.bool }

/// The upper half of a float32: 8 exponent bits, 7 fraction bits.
package struct BFloat16: TensorScalar, Hashable {
  package static let elementType = ElementType.bfloat16
  package let bits: UInt16

  package init(bits: UInt16) { self.bits = bits }

  /// Rounds to nearest, ties to even; NaN stays NaN.
  package init(_ value: Float) {
    let pattern = value.bitPattern
    if value.isNaN {
      bits = UInt16(pattern >> 16) | 0x0040
    } else {
      let rounding = 0x7FFF + ((pattern >> 16) & 1)
      bits = UInt16((pattern &+ rounding) >> 16)
    }
  }

  package var float: Float { Float(bitPattern: UInt32(bits) << 16) }
}
