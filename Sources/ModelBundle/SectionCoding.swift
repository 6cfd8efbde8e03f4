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

  /// zstd's level for what is read by people and programs: texts and JSON. They are no more than 1 % smaller at 19, which takes twice
  /// as long.
  static let textLevel = 17
  /// zstd's level for tensors, which are no smaller at 9 or 19 and take many times as long.
  static let tensorLevel = 3

  // MARK: - Writing

  /// ``rans`` or ``lanes`` takes a share of this less than the others, or is not worth the time to read it.
  private static let leastGain = 128

  /// The shortest form of tensors that follow each other, of the first coding where several are as short.
  ///
  /// - Parameter newestVersion: of bundles, that may have the coding.
  static func shortest(
    _ tensors: [Tensor], _ content: UnsafeRawBufferPointer,
    newestVersion: Int = BundlePreamble.versions.upperBound
  ) throws(ModelError) -> (coding: SectionCoding, stored: [UInt8]) {
    var best = (
      coding: SectionCoding.zstd, stored: try ZstdFrame.compress(content, level: tensorLevel)
    )
    if let width = width(of: tensors.map(\.element)) {
      let planes = split(content, width: width)
      let stored = try planes.withUnsafeBufferPointer { (planes) throws(ModelError) in
        try ZstdFrame.compress(UnsafeRawBufferPointer(planes), level: tensorLevel)
      }
      if stored.count < best.stored.count { best = (.planes, stored) }
    }
    if !tensors.isEmpty, tensors.allSatisfy({ WeightCoder.canCode($0.element) }) {
      let isMany = tensors.reduce(0) { $0 + $1.count } >= WeightCoder.manyWeights
      let coding =
        isMany && newestVersion >= SectionCoding.lanes.firstVersion ? SectionCoding.lanes : .rans
      let stored = try WeightCoder.encode(tensors, coding == .lanes ? .byChannel : .throughout)
      let worth = best.stored.count - best.stored.count / SectionCoding.leastGain
      if stored.count < worth { best = (coding, stored) }
    }
    if !tensors.isEmpty, tensors.allSatisfy({ GroupCoder.canCode($0.element) }),
      let stored = try GroupCoder.encode(tensors), stored.count < best.stored.count
    {
      best = (.groups, stored)
    }
    return best
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
