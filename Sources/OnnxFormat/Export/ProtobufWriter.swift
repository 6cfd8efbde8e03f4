/// Writes protobuf messages field by field; fields must come in the order that their reader's goldens
/// expect, which is ascending.
package struct ProtobufWriter: Sendable {
  package private(set) var bytes: [UInt8] = []

  package init() {}

  package mutating func varint(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }

  /// A field's number and wire type: 0 varint, 1 eight bytes, 2 counted bytes, 5 four bytes.
  package mutating func tag(_ field: Int, wireType: Int) {
    varint(UInt64(field << 3 | wireType))
  }

  package mutating func integer(_ field: Int, _ value: Int) {
    tag(field, wireType: 0)
    varint(UInt64(bitPattern: Int64(value)))
  }

  package mutating func float(_ field: Int, _ value: Float) {
    tag(field, wireType: 5)
    withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
  }

  package mutating func string(_ field: Int, _ value: String) {
    counted(field, value.utf8)
  }

  package mutating func counted(_ field: Int, _ content: some Collection<UInt8>) {
    tag(field, wireType: 2)
    varint(UInt64(content.count))
    bytes.append(contentsOf: content)
  }

  /// Fields that are written already.
  package mutating func verbatim(_ fields: UnsafeRawBufferPointer) {
    bytes.append(contentsOf: fields)
  }

  package mutating func message(_ field: Int, _ fill: (inout ProtobufWriter) -> Void) {
    var inner = ProtobufWriter()
    fill(&inner)
    counted(field, inner.bytes)
  }

  package mutating func packed(_ field: Int, _ values: [Int]) {
    message(field) { inner in
      for value in values { inner.varint(UInt64(bitPattern: Int64(value))) }
    }
  }

  package mutating func packed(_ field: Int, floats: [Float]) {
    tag(field, wireType: 2)
    varint(UInt64(4 * floats.count))
    floats.withUnsafeBytes { bytes.append(contentsOf: $0) }
  }
}
