import COnnx
import CProtobufC
import TensorCore

/// Reads tensors out of messages, counting their bytes.
struct OnnxTensorDecoder {
  let limits: ImportLimits
  let external: ExternalData
  private var taken = 0

  init(limits: ImportLimits, external: ExternalData) {
    self.limits = limits
    self.external = external
  }

  /// The tensor; its `raw_data` is freed, so that weights do not exist twice.
  ///
  /// - Parameter raw: raw data that were left out of the message.
  /// - Throws: `unsupported-feature` for an element type without a form here, `malformed-input` where
  ///   the data are not what the dimensions ask for, `limit-exceeded`, and what external data throw.
  mutating func tensor(
    _ message: inout Onnx__TensorProto, raw given: UnsafeRawBufferPointer? = nil
  ) throws(ModelError) -> Tensor {
    let element = try OnnxElement.type(message.data_type)
    let shape = try OnnxTensorDecoder.shape(message.dims, message.n_dims)
    let (byteCount, overflow) = shape.count.multipliedReportingOverflow(by: element.byteCount)
    guard !overflow, byteCount <= limits.tensorBytes - taken else {
      throw ModelError(
        .limitExceeded,
        "a tensor of \(shape) brings all tensors above \(limits.tensorBytes) bytes")
    }
    taken += byteCount
    if message.data_location == 1 { return try external(&message, element, shape) }
    guard message.data_location == 0 else {
      throw ModelError(.malformedInput, "data location \(message.data_location)")
    }
    if given != nil || message.has_raw_data != 0 {
      let raw =
        given
        ?? UnsafeRawBufferPointer(start: message.raw_data.data, count: message.raw_data.len)
      let stored = OnnxTensorDecoder.storedByteCount(element, shape.count)
      guard raw.count == stored else {
        throw ModelError(
          .malformedInput, "raw data of \(raw.count) bytes; \(element) \(shape) needs \(stored)")
      }
      let tensor = try Tensor(element, shape) { bytes throws(ModelError) in
        try OnnxTensorDecoder.decode(raw, element, shape.count, into: bytes)
      }
      release(&message.raw_data)
      return tensor
    }
    return try typed(message, element, shape)
  }

  static func shape(_ dims: UnsafeMutablePointer<Int64>?, _ count: Int) throws(ModelError) -> Shape
  {
    try Shape(UnsafeBufferPointer(start: dims, count: dims == nil ? 0 : count).map { Int($0) })
  }

  private func external(
    _ message: inout Onnx__TensorProto, _ element: ElementType, _ shape: Shape
  ) throws(ModelError) -> Tensor {
    let entries = try strings(elements(message.external_data, message.n_external_data), limits)
    let region = try ExternalData.Region(entries: entries)
    let stored = OnnxTensorDecoder.storedByteCount(element, shape.count)
    try external.check(region, byteCount: stored)
    return try Tensor(element, shape) { bytes throws(ModelError) in
      guard OnnxTensorDecoder.isVerbatim(element) else {
        let packed = UnsafeMutableRawBufferPointer.allocate(byteCount: stored, alignment: 16)
        defer { packed.deallocate() }
        try external.read(region, into: packed)
        try OnnxTensorDecoder.decode(
          UnsafeRawBufferPointer(packed), element, shape.count, into: bytes)
        return
      }
      try external.read(region, into: bytes)
    }
  }

  // MARK: - Raw bytes

  /// Bytes in a file: four-bit elements lie two to a byte there.
  static func storedByteCount(_ element: ElementType, _ count: Int) -> Int {
    element == .int4 || element == .uint4 ? (count + 1) / 2 : count * element.byteCount
  }

  private static func isVerbatim(_ element: ElementType) -> Bool {
    element != .int4 && element != .uint4 && element != .bool
  }

  static func decode(
    _ raw: UnsafeRawBufferPointer, _ element: ElementType, _ count: Int,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws(ModelError) {
    switch element {
    case .int4:
      for index in 0..<count {
        let nibble = (raw[index / 2] >> (index % 2 == 0 ? 0 : 4)) & 15
        bytes[index] = UInt8(bitPattern: Int8(bitPattern: nibble ^ 8) - 8)
      }
    case .uint4:
      for index in 0..<count { bytes[index] = (raw[index / 2] >> (index % 2 == 0 ? 0 : 4)) & 15 }
    case .bool:
      guard raw.allSatisfy({ $0 < 2 }) else {
        throw ModelError(.malformedInput, "a boolean that is neither 0 nor 1")
      }
      bytes.copyMemory(from: raw)
    default: bytes.copyMemory(from: raw)
    }
  }

  // MARK: - Typed fields

  private func typed(
    _ message: Onnx__TensorProto, _ element: ElementType, _ shape: Shape
  ) throws(ModelError) -> Tensor {
    let filled = [
      message.n_float_data, message.n_int32_data, message.n_int64_data, message.n_double_data,
      message.n_uint64_data, message.n_string_data,
    ]
    let total = filled.reduce(0, +)
    let expected =
      element == .int4 || element == .uint4 ? (shape.count + 1) / 2 : shape.count
    let field: (name: String, count: Int)
    switch element {
    case .float32: field = ("float_data", message.n_float_data)
    case .int64: field = ("int64_data", message.n_int64_data)
    case .float64: field = ("double_data", message.n_double_data)
    case .uint32, .uint64: field = ("uint64_data", message.n_uint64_data)
    default: field = ("int32_data", message.n_int32_data)
    }
    guard field.count == expected, total == expected else {
      throw ModelError(
        .malformedInput,
        "\(field.count) values in \(field.name) and \(total - field.count) elsewhere; "
          + "\(element) \(shape) needs \(expected)")
    }
    switch element {
    case .float32: return Tensor(shape, array(message.float_data, expected))
    case .int64: return Tensor(shape, array(message.int64_data, expected))
    case .float64: return Tensor(shape, array(message.double_data, expected))
    case .uint64: return Tensor(shape, array(message.uint64_data, expected))
    case .uint32:
      return Tensor(shape, try narrowed(array(message.uint64_data, expected), to: UInt32.self))
    default: break
    }
    let values: [Int32] = array(message.int32_data, expected)
    switch element {
    case .int32: return Tensor(shape, values)
    case .int16: return Tensor(shape, try narrowed(values, to: Int16.self))
    case .uint16: return Tensor(shape, try narrowed(values, to: UInt16.self))
    case .int8: return Tensor(shape, try narrowed(values, to: Int8.self))
    case .float16:
      return Tensor(
        shape, try narrowed(values, to: UInt16.self).map { Float16(bitPattern: $0) })
    case .bfloat16:
      return Tensor(shape, try narrowed(values, to: UInt16.self).map { BFloat16(bits: $0) })
    default:
      // uint8, bool, and pairs of four-bit elements: each number is one byte of raw data.
      let raw = try narrowed(values, to: UInt8.self)
      return try Tensor(element, shape) { bytes throws(ModelError) in
        var failure: ModelError?
        raw.withUnsafeBytes { raw in
          do throws(ModelError) {
            try OnnxTensorDecoder.decode(raw, element, shape.count, into: bytes)
          } catch { failure = error }
        }
        if let failure { throw failure }
      }
    }
  }

  private func array<Value>(_ start: UnsafeMutablePointer<Value>?, _ count: Int) -> [Value] {
    Array(UnsafeBufferPointer(start: start, count: start == nil ? 0 : count))
  }

  private func narrowed<Wide: FixedWidthInteger, Narrow: FixedWidthInteger>(
    _ values: [Wide], to _: Narrow.Type
  ) throws(ModelError) -> [Narrow] {
    try values.map { (value) throws(ModelError) in
      guard let narrow = Narrow(exactly: value) else {
        throw ModelError(.malformedInput, "\(value) does not fit the tensor's elements")
      }
      return narrow
    }
  }

  // MARK: - Sparse tensors

  /// The dense form of a sparse tensor.
  mutating func tensor(_ sparse: Onnx__SparseTensorProto) throws(ModelError) -> Tensor {
    guard let valuesMessage = sparse.values else {
      throw ModelError(.malformedInput, "a sparse tensor without values")
    }
    let shape = try OnnxTensorDecoder.shape(sparse.dims, sparse.n_dims)
    let values = try tensor(&valuesMessage.pointee)
    let size = values.element.byteCount
    guard shape.count <= (limits.tensorBytes - taken) / size else {
      throw ModelError(
        .limitExceeded, "a sparse tensor of \(shape) is above \(limits.tensorBytes) bytes")
    }
    // Zeros cost a file nothing, so that the factor of unpacking bounds them as well.
    guard shape.count * size <= limits.memoryFloor else {
      throw ModelError(
        .limitExceeded,
        "a sparse tensor of \(shape) is above \(limits.memoryFloor) bytes when dense")
    }
    taken += shape.count * size
    var places: [Int] = []
    if let indices = sparse.indices, values.count > 0 {
      let indexTensor = try tensor(&indices.pointee)
      guard indexTensor.element == .int64 else {
        throw ModelError(.malformedInput, "sparse indices of type \(indexTensor.element)")
      }
      places = try OnnxTensorDecoder.places(
        indexTensor.integers(), rank: indexTensor.shape.rank, values.count, in: shape)
    }
    guard places.count == values.count else {
      throw ModelError(
        .malformedInput, "\(values.count) sparse values with \(places.count) indices")
    }
    return try Tensor(values.element, shape) { bytes throws(ModelError) in
      _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
      for (index, place) in places.enumerated() {
        for byte in 0..<size {
          bytes[place * size + byte] = values.bytes[index * size + byte]
        }
      }
    }
  }

  /// Flat positions from indices that are flat already (rank 1) or one row for each value.
  private static func places(
    _ indices: [Int64], rank: Int, _ count: Int, in shape: Shape
  ) throws(ModelError) -> [Int] {
    let strides = rank == 1 ? [1] : shape.strides
    let extents = rank == 1 ? [shape.count] : shape.dimensions
    guard rank == 1 || rank == 2, indices.count == count * strides.count else {
      throw ModelError(.malformedInput, "\(indices.count) sparse indices for \(count) values")
    }
    var places: [Int] = []
    for value in 0..<count {
      var place = 0
      for axis in strides.indices {
        let index = indices[value * strides.count + axis]
        guard index >= 0, index < Int64(extents[axis]) else {
          throw ModelError(.malformedInput, "sparse index \(index) is outside \(shape)")
        }
        place += Int(index) * strides[axis]
      }
      places.append(place)
    }
    return places
  }
}
