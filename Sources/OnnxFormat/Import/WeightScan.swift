/// Finds the weights of a model in its bytes, so that only the rest has to be unpacked: the unpacker
/// copies what it reads, and weights are nearly all of a file.
///
/// The scan decides nothing. What it does not understand it leaves to the unpacker, which then sees every
/// byte.
struct WeightScan {
  /// The model without the raw data in ``weights``.
  let message: [UInt8]
  /// Where the raw data of an initializer lie, by its place among the graph's initializers.
  let weights: [Int: Range<Int>]

  /// Raw data of fewer bytes stay in the message.
  private static let leastByteCount = 4096

  /// Fields of `formats/onnx.proto`.
  private enum Tag {
    static let modelGraph = 7
    static let graphInitializer = 5
    static let tensorRawData = 9
  }

  /// Nil where there is nothing to gain, or anything unusual.
  init?(_ bytes: UnsafeRawBufferPointer) {
    var model = ProtobufWriter()
    var weights: [Int: Range<Int>] = [:]
    var hasGraph = false
    var fields = WireFields(bytes, in: 0..<bytes.count)
    while let field = fields.next() {
      guard field.number == Tag.modelGraph, field.isCounted else {
        model.append(bytes, field.whole)
        continue
      }
      guard !hasGraph,
        let graph = WeightScan.graph(bytes, in: field.payload, weights: &weights)
      else { return nil }
      hasGraph = true
      model.counted(Tag.modelGraph, graph.bytes)
    }
    guard fields.isComplete, !weights.isEmpty else { return nil }
    message = model.bytes
    self.weights = weights
  }

  private static func graph(
    _ bytes: UnsafeRawBufferPointer, in range: Range<Int>, weights: inout [Int: Range<Int>]
  ) -> ProtobufWriter? {
    var graph = ProtobufWriter()
    var initializers = 0
    var fields = WireFields(bytes, in: range)
    while let field = fields.next() {
      guard field.number == Tag.graphInitializer, field.isCounted else {
        graph.append(bytes, field.whole)
        continue
      }
      defer { initializers += 1 }
      guard let raw = rawData(bytes, in: field.payload) else { return nil }
      guard let raw, raw.payload.count >= leastByteCount else {
        graph.append(bytes, field.whole)
        continue
      }
      weights[initializers] = raw.payload
      var tensor = ProtobufWriter()
      tensor.append(bytes, field.payload.lowerBound..<raw.whole.lowerBound)
      tensor.append(bytes, raw.whole.upperBound..<field.payload.upperBound)
      graph.counted(Tag.graphInitializer, tensor.bytes)
    }
    return fields.isComplete ? graph : nil
  }

  /// The raw data of a tensor, or none; nil where the message is broken or has them twice.
  private static func rawData(
    _ bytes: UnsafeRawBufferPointer, in range: Range<Int>
  ) -> WireFields.Field?? {
    var found: WireFields.Field?
    var fields = WireFields(bytes, in: range)
    while let field = fields.next() {
      guard field.number == Tag.tensorRawData else { continue }
      guard found == nil, field.isCounted else { return nil }
      found = field
    }
    return fields.isComplete ? .some(found) : nil
  }
}

/// Walks over the fields of one message without looking into them.
struct WireFields {
  struct Field {
    let number: Int
    let isCounted: Bool
    /// The tag and everything after it.
    let whole: Range<Int>
    /// The content, without tag and count.
    let payload: Range<Int>
  }

  private let bytes: UnsafeRawBufferPointer
  private var place: Int
  private let end: Int
  private var isBroken = false

  init(_ bytes: UnsafeRawBufferPointer, in range: Range<Int>) {
    self.bytes = bytes
    place = range.lowerBound
    end = range.upperBound
  }

  /// True where the last field ended with the message.
  var isComplete: Bool { !isBroken && place == end }

  /// The next field; nil at the end and where the bytes are no field.
  mutating func next() -> Field? {
    guard !isBroken, place < end else { return nil }
    let start = place
    guard let tag = varint(), tag >> 3 > 0, tag >> 3 < 1 << 29 else { return broken() }
    var payload = place..<place
    switch tag & 7 {
    case 0:
      guard varint() != nil else { return broken() }
      payload = payload.lowerBound..<place
    case 1: payload = place..<place + 8
    case 2:
      guard let count = varint(), count <= UInt64(end - place) else { return broken() }
      payload = place..<place + Int(count)
    case 5: payload = place..<place + 4
    default: return broken()
    }
    guard payload.upperBound <= end else { return broken() }
    place = payload.upperBound
    return Field(
      number: Int(tag >> 3), isCounted: tag & 7 == 2, whole: start..<place, payload: payload)
  }

  private mutating func broken() -> Field? {
    isBroken = true
    return nil
  }

  private mutating func varint() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: 0, to: 64, by: 7) {
      guard place < end else { return nil }
      let byte = bytes[place]
      place += 1
      value |= UInt64(byte & 0x7F) << UInt64(shift)
      if byte < 0x80 { return value }
    }
    return nil
  }
}

extension ProtobufWriter {
  /// Bytes that are fields already.
  fileprivate mutating func append(_ bytes: UnsafeRawBufferPointer, _ range: Range<Int>) {
    verbatim(UnsafeRawBufferPointer(rebasing: bytes[range]))
  }
}
