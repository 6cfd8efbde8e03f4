import ModelKernels
import TensorCore

/// How the content of a section is packed (`B11`, `B28`, `B29`, `B53`, `B71`, `B80`). Before version 3 it is always ``zstd``.
package enum SectionCoding: String, Sendable, CaseIterable {
  case zstd, planes, rans, groups, lanes
  /// Within the frame of the header.
  case header

  /// The version of bundles that has it first.
  var firstVersion: Int {
    switch self {
    case .zstd, .planes, .rans: 3
    case .groups: 4
    case .header: 5
    case .lanes: 6
    }
  }

  /// How zstd packs what is read by people and programs: texts and JSON. Short ones are a good part of a small bundle, and are no
  /// more than 1 % smaller at level 19. Long ones are 6 % smaller at 17 than at 11, which is a thousandth of their bundles, and take
  /// twenty times as long.
  static func textEffort(byteCount: Int) -> ZstdFrame.Effort {
    .level(byteCount <= 1 << 14 ? 17 : 11)
  }

  /// How it packs tensors, which are no smaller at levels 9 or 19 and take many times as long.
  static let tensorEffort = ZstdFrame.Effort.level(3)

  // MARK: - Writing

  /// Planes of more bytes are weights, in which nothing comes again; of so many, both ways are worth the time to try.
  private static let fewBytes = 1 << 20
  /// ``rans`` or ``lanes`` takes a share of this less than the others, or is not worth the time to read it.
  private static let leastGain = 128

  /// The shortest form of tensors that follow each other, of the first coding where several are as short.
  ///
  /// - Parameter newestVersion: of bundles, that may have the coding.
  static func shortest(
    _ tensors: [Tensor], _ content: UnsafeRawBufferPointer,
    newestVersion: Int = BundlePreamble.versions.upperBound
  ) throws(ModelError) -> (coding: SectionCoding, stored: [UInt8]) {
    nonisolated(unsafe) let content = content
    let isMany = tensors.reduce(0) { $0 + $1.count } >= WeightCoder.manyWeights
    let weights =
      isMany && newestVersion >= SectionCoding.lanes.firstVersion ? SectionCoding.lanes : .rans
    let codings = [SectionCoding.zstd, .planes, weights, .groups]
    let made = try concurrently(codings.count) { (index) throws(ModelError) in
      try codings[index].packed(tensors, content)
    }
    var best = (coding: SectionCoding.zstd, stored: made[0] ?? [])
    for (coding, stored) in zip(codings, made).dropFirst() {
      guard let stored else { continue }
      let gain = coding == weights ? best.stored.count / SectionCoding.leastGain : 0
      if stored.count < best.stored.count - gain { best = (coding, stored) }
    }
    return best
  }

  /// The form of tensors that follow each other; nil where they have none.
  private func packed(
    _ tensors: [Tensor], _ content: UnsafeRawBufferPointer
  ) throws(ModelError) -> [UInt8]? {
    func all(_ fits: (ElementType) -> Bool) -> Bool {
      !tensors.isEmpty && tensors.allSatisfy { fits($0.element) }
    }
    switch self {
    case .zstd: return try ZstdFrame.compress(content, SectionCoding.tensorEffort)
    case .planes:
      guard let width = SectionCoding.width(of: tensors.map(\.element)) else { return nil }
      let planes = SectionCoding.split(content, width: width)
      return try planes.withUnsafeBufferPointer { (planes) throws(ModelError) in
        let planes = UnsafeRawBufferPointer(planes)
        let stored = try ZstdFrame.compress(planes, .frequencies)
        guard planes.count <= SectionCoding.fewBytes else { return stored }
        let repeated = try ZstdFrame.compress(planes, SectionCoding.tensorEffort)
        return repeated.count <= stored.count ? repeated : stored
      }
    case .rans, .lanes:
      guard all(WeightCoder.canCode) else { return nil }
      return try WeightCoder.encode(tensors, self == .lanes ? .byChannel : .throughout)
    case .groups: return all(GroupCoder.canCode) ? try GroupCoder.encode(tensors) : nil
    case .header: return nil
    }
  }

  /// The bytes of one element where all have several, and as many (`B28`).
  private static func width(of elements: [ElementType]) -> Int? {
    guard let width = elements.first?.byteCount, width > 1,
      elements.allSatisfy({ $0.byteCount == width })
    else { return nil }
    return width
  }

  /// First bytes of all elements, then second ones, and so on.
  private static func split(_ content: UnsafeRawBufferPointer, width: Int) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: content.count) { planes, count in
      let elements = content.count / width
      for byte in 0..<width {
        for element in 0..<elements {
          planes[byte &* elements &+ element] = content[element &* width &+ byte]
        }
      }
      count = content.count
    }
  }

  // MARK: - Reading

  /// Refuses what can be told to be wrong before memory is taken for the content.
  func check(
    _ stored: UnsafeRawBufferPointer, size: Int, elements: [ElementType], windowLog: Int
  ) throws(ModelError) {
    switch self {
    case .zstd, .header: break
    case .planes:
      guard SectionCoding.width(of: elements) != nil else {
        throw ModelError(.malformedInput, "B28: planes of \(elements)")
      }
    case .rans, .lanes:
      guard elements.allSatisfy(WeightCoder.canCode) else {
        throw ModelError(.malformedInput, "B29: weights of \(elements)")
      }
      return
    case .groups:
      guard elements.allSatisfy(GroupCoder.canCode) else {
        throw ModelError(.malformedInput, "B53: groups of weights of \(elements)")
      }
      return
    }
    try ZstdFrame.check(stored, size: size, windowLog: windowLog)
  }

  /// Fills `content`, which holds tensors of these types, exactly, with more memory to work in.
  func unpack(
    _ stored: UnsafeRawBufferPointer, _ entries: [BundleHeader.Entry],
    into content: UnsafeMutableRawBufferPointer, _ scratch: ScratchMemory
  ) throws(ModelError) {
    switch self {
    case .zstd, .header: try ZstdFrame.decompress(stored, into: content)
    case .rans: try WeightCoder.decode(stored, entries.map(\.shape), .throughout, into: content)
    case .lanes: try WeightCoder.decode(stored, entries.map(\.shape), .byChannel, into: content)
    case .groups: try GroupCoder.decode(stored, entries.map(\.shape), into: content)
    case .planes:
      let width = entries.first?.element.byteCount ?? 1
      let planes = scratch.buffer(content.count)
      try ZstdFrame.decompress(stored, into: planes)
      KernelTier.joinPlanes(UnsafeRawBufferPointer(planes), width: width, to: content)
    }
  }
}
