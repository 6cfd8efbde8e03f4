/// An immutable tensor: element type, concrete shape, row-major bytes.
package struct Tensor: Sendable {
  package let element: ElementType
  package let shape: Shape
  /// Present where the integers stand for real numbers.
  package let quantization: QuantizationParameters?
  package let storage: TensorStorage
  /// The tensors of a sequence, which has no elements of its own; nil for a tensor.
  package let members: [Tensor]?

  package var type: TensorType {
    guard let members else { return TensorType(element, shape, quantization: quantization) }
    let open = TensorType(element, nil)
    return .sequence(
      of: members.dropFirst().reduce(members.first?.type ?? open) {
        (try? $0.joined(with: $1.type)) ?? open
      })
  }
  package var count: Int { shape.count }
  package var byteCount: Int { shape.count * element.byteCount }
  package var bytes: UnsafeRawBufferPointer { storage.bytes }

  /// Makes a tensor whose bytes `fill` writes; they start out uninitialised.
  package init(
    _ element: ElementType, _ shape: Shape, quantization: QuantizationParameters? = nil,
    bytes fill: (UnsafeMutableRawBufferPointer) throws(ModelError) -> Void
  ) throws(ModelError) {
    self.element = element
    self.shape = shape
    self.quantization = quantization
    members = nil
    storage = try TensorStorage(byteCount: shape.count * element.byteCount, fill)
  }

  /// Makes a tensor of `E`s that `fill` writes; they start out zero.
  package init<E: TensorScalar>(
    _ shape: Shape, of _: E.Type, quantization: QuantizationParameters? = nil,
    fill: (UnsafeMutableBufferPointer<E>) throws(ModelError) -> Void
  ) throws(ModelError) {
    try self.init(E.elementType, shape, quantization: quantization) { bytes throws(ModelError) in
      _ = bytes.initializeMemory(as: UInt8.self, repeating: 0)
      try fill(bytes.bindMemory(to: E.self))
    }
  }

  /// - Precondition: `values` has as many elements as `shape`.
  package init<E: TensorScalar>(
    _ shape: Shape, _ values: [E], quantization: QuantizationParameters? = nil
  ) {
    precondition(values.count == shape.count, "\(values.count) values do not fill \(shape)")
    self.init(
      E.elementType, shape, quantization: quantization,
      writing: { bytes in
        values.withUnsafeBytes { bytes.copyMemory(from: $0) }
      })
  }

  /// Makes a tensor whose bytes `source` has, which are read when they are wanted.
  package init(
    _ element: ElementType, _ shape: Shape, quantization: QuantizationParameters? = nil,
    from source: any TensorSource
  ) {
    self.init(
      element: element, shape: shape, quantization: quantization,
      storage: TensorStorage(byteCount: shape.count * element.byteCount, from: source))
  }

  /// Makes a tensor whose bytes a closure writes that cannot fail.
  ///
  /// - Parameter memory: where they are written, as for ``TensorStorage``.
  package init(
    _ element: ElementType, _ shape: Shape, quantization: QuantizationParameters? = nil,
    in memory: AlignedMemory? = nil, writing fill: (UnsafeMutableRawBufferPointer) -> Void
  ) {
    self.element = element
    self.shape = shape
    self.quantization = quantization
    members = nil
    storage = TensorStorage(byteCount: shape.count * element.byteCount, in: memory, fill)
  }

  private init(
    element: ElementType, shape: Shape, quantization: QuantizationParameters?,
    storage: TensorStorage
  ) {
    self.element = element
    self.shape = shape
    self.quantization = quantization
    self.storage = storage
    members = nil
  }

  /// A sequence of tensors of `element`.
  package init(sequence members: [Tensor], of element: ElementType) throws(ModelError) {
    for member in members where member.element != element || member.members != nil {
      throw ModelError(.typeMismatch, "\(member.type) in a sequence of \(element)")
    }
    self.element = element
    shape = try Shape([0])
    quantization = nil
    storage = TensorStorage(byteCount: 0) { _ in }
    self.members = members
  }

  /// A scalar tensor.
  package init<E: TensorScalar>(scalar value: E) { self.init(.scalar, [value]) }

  /// A tensor of rank 1.
  package init<E: TensorScalar>(vector values: [E]) {
    // A count that an array holds is always a valid extent.
    guard let shape = try? Shape([values.count]) else { preconditionFailure("array extent") }
    self.init(shape, values)
  }

  /// Reads the elements in place. `body` gets a row-major buffer that dies with the call.
  ///
  /// - Precondition: `E` is the memory form of ``element`` (four-bit types read as 8-bit).
  package func withElements<E: TensorScalar, R: ~Copyable, Failure: Error>(
    of _: E.Type, _ body: (UnsafeBufferPointer<E>) throws(Failure) -> R
  ) throws(Failure) -> R {
    precondition(
      E.elementType == element
        || (E.elementType == .int8 && element == .int4)
        || (E.elementType == .uint8 && element == .uint4),
      "a tensor of \(element) was read as \(E.elementType)")
    return try body(bytes.bindMemory(to: E.self))
  }

  /// Reads the elements in place, or in `scratch` where they are not in memory and need not stay there.
  ///
  /// - Precondition: as for ``withElements(of:_:)``.
  /// - Throws: what the tensor's source throws.
  package func withElements<E: TensorScalar, R>(
    of _: E.Type, _ scratch: ScratchMemory,
    _ body: (UnsafeBufferPointer<E>) throws(ModelError) -> R
  ) throws(ModelError) -> R {
    guard !storage.isLoaded, E.elementType == element else {
      return try withElements(of: E.self, body)
    }
    return try storage.withBytes(scratch) { (bytes) throws(ModelError) in
      try body(bytes.bindMemory(to: E.self))
    }
  }

  /// Brings the elements to memory, to stay there.
  ///
  /// - Throws: what the tensor's source throws.
  package func load() throws(ModelError) { try storage.load() }

  /// The same bytes under another shape with the same count.
  package func reshaped(to shape: Shape) throws(ModelError) -> Tensor {
    guard shape.count == count else {
      throw ModelError(.shapeMismatch, "\(self.shape) does not reshape to \(shape)")
    }
    return Tensor(element: element, shape: shape, quantization: quantization, storage: storage)
  }

  /// The same integers with a different reading, or none.
  package func reading(as quantization: QuantizationParameters?) -> Tensor {
    Tensor(element: element, shape: shape, quantization: quantization, storage: storage)
  }
}

extension Tensor: Equatable {
  /// Same type, same bytes.
  package static func == (a: Tensor, b: Tensor) -> Bool {
    guard a.element == b.element, a.shape == b.shape, a.quantization == b.quantization,
      a.members == b.members
    else { return false }
    if a.storage === b.storage { return true }
    return a.bytes.elementsEqual(b.bytes)
  }
}
