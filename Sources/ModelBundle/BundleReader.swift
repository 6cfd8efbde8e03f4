import ModelIR
import TensorCore

/// Reads bundles. Opening checks the header and that it agrees with the file; what is unpacked then has the size and
/// digest that the header says, or is an error, and takes no memory before its packed form is seen to be right.
package struct BundleReader: Sendable {
  package let header: BundleHeader
  /// Whose valid signature the bundle bears; nil where it has none.
  package let signer: VerifyingKey?
  /// Of the format.
  package let version: Int
  /// Of the whole file.
  package var byteCount: Int { source.count }

  /// What errors call the bundle.
  private let title: String
  private let source: BundleSource
  /// Where each section starts, in the file or in ``beside``.
  private let starts: [Int]
  /// Contents of sections that the header's frame holds.
  private let beside: [UInt8]
  private let limits: BundleLimits
  /// Numbers of the tensors of each section.
  private let members: [[Int]]

  /// - Throws: `missing-input`, `input-output`, and what ``init(bytes:limits:)`` throws.
  package init(path: String, limits: BundleLimits = BundleLimits()) throws(ModelError) {
    self = try during("reading bundle \(path)") { () throws(ModelError) in
      try BundleReader(.file(try OpenFile(path)), title: "bundle \(path)", limits: limits)
    }
  }

  /// - Throws: `malformed-input`, `unsupported-feature`, `limit-exceeded` or `integrity-failure`, with
  ///   the clause of `formats/bundle.md`.
  package init(bytes: [UInt8], limits: BundleLimits = BundleLimits()) throws(ModelError) {
    try self.init(.memory(bytes), title: "the bundle", limits: limits)
  }

  private init(
    _ source: BundleSource, title: String, limits: BundleLimits
  ) throws(ModelError) {
    let start = try source.bytes(0..<min(BundlePreamble.byteCount, source.count))
    let preamble = try BundlePreamble(start, fileByteCount: source.count, limits: limits)
    let headerEnd = BundlePreamble.byteCount + preamble.headerByteCount
    var headerBytes = try source.bytes(BundlePreamble.byteCount..<headerEnd)
    try preamble.check(header: headerBytes)
    var end = source.count
    if preamble.isSigned {
      end -= BundlePreamble.signatureByteCount
      signer = try BundleSignatureBlock.verify(try source.bytes(end..<source.count), of: start)
    } else {
      signer = nil
    }
    if preamble.version >= 3 {
      headerBytes = try ZstdFrame.contents(
        headerBytes, limit: limits.headerBytes, windowLog: limits.windowLog)
    }
    let frame = try HeaderFrame(headerBytes, version: preamble.version)
    let header = try BundleHeader(bytes: frame.header, version: preamble.version)
    try header.check(
      storedByteCount: end - headerEnd, fileByteCount: source.count, version: preamble.version,
      limits: limits)
    var starts: [Int] = []
    var next = headerEnd
    var nextBeside = 0
    for section in header.sections {
      starts.append(section.coding == .header ? nextBeside : next)
      next += section.storedByteCount
      if section.coding == .header { nextBeside += section.byteCount }
    }
    guard nextBeside == frame.contents.count else {
      throw ModelError(
        .malformedInput,
        "B70: sections of \(nextBeside) bytes where the header's frame has \(frame.contents.count)")
    }
    beside = frame.contents
    self.title = title
    version = preamble.version
    self.header = header
    self.limits = limits
    self.starts = starts
    self.source = source
    members = header.members
    guard version != 2 || index(of: .record, BundleJoin.record) != nil else {
      throw ModelError(.malformedInput, "B22: a bundle of version 2 without the record 'join'")
    }
  }

  /// - Throws: `integrity-failure` unless one of `keys` has signed the bundle.
  package func require(signedBy keys: [VerifyingKey]) throws(ModelError) {
    guard let signer else {
      throw ModelError(.integrityFailure, "B18: the bundle is not signed")
    }
    guard keys.contains(signer) else {
      throw ModelError(.integrityFailure, "B18: the bundle is signed by another key, \(signer)")
    }
  }

  // MARK: - Parts

  package var graphNames: [String] { names(of: .graph) }
  package var recordNames: [String] { names(of: .record) }

  private func names(of kind: BundleHeader.Kind) -> [String] {
    header.sections.filter { $0.kind == kind }.map(\.name)
  }

  private func index(of kind: BundleHeader.Kind, _ name: String) -> Int? {
    header.sections.firstIndex { $0.kind == kind && $0.name == name }
  }

  /// - Throws: `missing-input` where there is no such record.
  package func record(_ name: String) throws(ModelError) -> JSON {
    guard let index = index(of: .record, name) else {
      throw ModelError(.missingInput, "the bundle has no record '\(name)'")
    }
    return try json(index)
  }

  package func manifest() throws(ModelError) -> BundleManifest {
    guard let index = index(of: .record, BundleContents.manifestRecord) else {
      throw ModelError(.malformedInput, "B16: the bundle has no manifest")
    }
    return try json(index).decoded()
  }

  /// The text form of a graph, with numbered constants.
  package func graphText(_ name: String = BundleContents.mainGraph) throws(ModelError) -> String {
    guard let index = index(of: .graph, name) else {
      throw ModelError(.missingInput, "the bundle has no graph '\(name)'")
    }
    return try text(index)
  }

  /// Everything, or everything but the golden cases, or the banks that are not in use, and the tensors that only they need.
  ///
  /// - Parameters:
  ///   - operators: every operator that the graphs may name.
  ///   - isLate: tensors with a section of their own stay in the bundle until they are loaded; what is wrong with them is told
  ///     then.
  package func contents(
    operators: [any Operator.Type], goldens: Bool = true, banks: Bool = true, isLate: Bool = false
  ) throws(ModelError) -> BundleContents {
    try during("reading \(title)") { () throws(ModelError) in
      try readContents(operators, goldens, banks, isLate: isLate)
    }
  }

  private func readContents(
    _ operators: [any Operator.Type], _ wanted: Bool, _ banks: Bool, isLate: Bool
  ) throws(ModelError) -> BundleContents {
    let manifest = try manifest()
    var records: [String: JSON] = [:]
    for name in recordNames where name != BundleContents.manifestRecord {
      records[name] = try record(name)
    }
    let ready = try banks ? [] : sectionsOfBanksReady(records[StoredBank.record])
    let tensors = try tensors(isLate: isLate) {
      (wanted || $0.name != BundleContents.goldenTensors) && !ready.contains($0.name)
    }
    var textLimits = GraphTextLimits()
    textLimits.constantBytes = limits.inlineConstantBytes
    var graphs: [BundleContents.NamedGraph] = []
    for (index, section) in header.sections.enumerated() where section.kind == .graph {
      let text = try text(index)
      let graph = try during("reading \(section)") { () throws(ModelError) in
        try GraphText.parse(text, operators: operators, tensors: tensors, limits: textLimits)
      }
      graphs.append(BundleContents.NamedGraph(section.name, graph))
    }
    var contents = BundleContents(graphs: graphs, manifest: manifest, records: records)
    if version >= 2, let json = contents.records.removeValue(forKey: BundleJoin.record) {
      let join = try during("reading record 'join'") { () throws(ModelError) in
        let join = try BundleJoin(json)
        try join.check(against: graphs)
        return join
      }
      contents.join = join
    }
    if let json = contents.records.removeValue(forKey: StoredBank.record), banks {
      contents.banks = try during("reading record 'banks'") { () throws(ModelError) in
        let banks = try StoredBanks(json) { (number) throws(ModelError) in
          guard tensors.indices.contains(number), let tensor = tensors[number] else {
            throw ModelError(.malformedInput, "B51: there is no tensor #\(number)")
          }
          return tensor
        }
        try banks.check(against: graphs)
        return banks
      }
    }
    guard wanted else { return contents }
    for (index, section) in header.sections.enumerated() where section.kind == .golden {
      contents.goldens.append(
        try during("reading \(section)") { () throws(ModelError) in
          try golden(section.name, try json(index), tensors, contents)
        })
    }
    return contents
  }

  /// Sections of banks that are not in use.
  private func sectionsOfBanksReady(_ json: JSON?) throws(ModelError) -> Set<String> {
    guard let json else { return [] }
    return Set(try StoredBanks.namesReady(json).map(StoredBank.section))
  }

  private func golden(
    _ name: String, _ json: JSON, _ tensors: [Tensor?], _ contents: BundleContents
  ) throws(ModelError) -> StoredGolden {
    let golden = try StoredGolden(name: name, json) { (number) throws(ModelError) in
      guard tensors.indices.contains(number), let tensor = tensors[number] else {
        throw ModelError(.malformedInput, "B15: there is no tensor #\(number)")
      }
      return tensor
    }
    guard let graph = contents.graph(golden.graph) else {
      throw ModelError(.malformedInput, "B15: there is no graph '\(golden.graph)'")
    }
    try golden.check(against: graph)
    return golden
  }

  // MARK: - Unpacking

  private func entries(of section: Int) -> [BundleHeader.Entry] {
    members[section].map { header.tensors[$0] }
  }

  /// Calls `body` with a section as it is stored, in which nothing is wrong that can be told without unpacking it.
  private func withFrame<R>(
    _ index: Int, _ scratch: ScratchMemory,
    _ body: (UnsafeRawBufferPointer) throws(ModelError) -> R
  ) throws(ModelError) -> R {
    let section = header.sections[index]
    let range = starts[index]..<starts[index] + section.storedByteCount
    return try during("unpacking \(section)") { () throws(ModelError) in
      try source.withBytes(range, scratch) { (frame) throws(ModelError) in
        try section.coding.check(
          frame, size: section.byteCount, elements: entries(of: index).map(\.element),
          windowLog: limits.windowLog)
        return try body(frame)
      }
    }
  }

  /// Fills `content` with what section `index` holds, with more memory to work in.
  private func unpack(
    _ index: Int, _ frame: UnsafeRawBufferPointer, into content: UnsafeMutableRawBufferPointer,
    _ scratch: ScratchMemory
  ) throws(ModelError) {
    let section = header.sections[index]
    try section.coding.unpack(frame, entries(of: index), into: content, scratch)
    guard Digest(of: UnsafeRawBufferPointer(content)) == section.digest else {
      throw ModelError(.integrityFailure, "B17: the content does not have the header's digest")
    }
  }

  private func bytes(
    _ index: Int, _ scratch: ScratchMemory = ScratchMemory()
  ) throws(ModelError) -> [UInt8] {
    let section = header.sections[index]
    guard section.coding != .header else {
      return Array(beside[starts[index]..<starts[index] + section.byteCount])
    }
    return try withFrame(index, scratch) { (frame) throws(ModelError) in
      var content = [UInt8](repeating: 0, count: section.byteCount)
      try content.withUnsafeMutableBufferPointer { (buffer) throws(ModelError) in
        try unpack(index, frame, into: UnsafeMutableRawBufferPointer(buffer), scratch.next)
      }
      return content
    }
  }

  private func json(_ index: Int) throws(ModelError) -> JSON {
    let bytes = try bytes(index)
    return try during("reading \(header.sections[index])") { () throws(ModelError) in
      try JSON(bytes: bytes, canonical: true)
    }
  }

  private func text(_ index: Int) throws(ModelError) -> String {
    guard let text = String(validating: try bytes(index), as: UTF8.self) else {
      throw ModelError(.malformedInput, "T1: \(header.sections[index]) is not UTF-8")
    }
    return text
  }

  /// The tensors of the sections that are wanted, on all cores.
  private func tensors(
    isLate: Bool, of wanted: (BundleHeader.Section) -> Bool
  ) throws(ModelError) -> [Tensor?] {
    var tensors = [Tensor?](repeating: nil, count: header.tensors.count)
    var indices: [Int] = []
    for (index, section) in header.sections.enumerated()
    where section.kind == .tensors && wanted(section) {
      if isLate, members[index].count == 1, let tensor = lateTensor(members[index][0], in: index) {
        tensors[members[index][0]] = tensor
      } else {
        indices.append(index)
      }
    }
    let longest = indices.map { header.sections[$0].storedByteCount }.max() ?? 0
    let scratch: @Sendable () -> ScratchMemory = { ScratchMemory(least: longest) }
    let unpacked = try concurrently(indices.count, with: scratch) {
      [indices] (scratch, task) throws(ModelError) in
      try unpackTensors(indices[task], members[indices[task]], scratch)
    }
    for (number, tensor) in unpacked.joined() { tensors[number] = tensor }
    return tensors
  }

  /// A tensor that is read when it is wanted; nil for types of which not every byte is an element.
  private func lateTensor(_ number: Int, in section: Int) -> Tensor? {
    let entry = header.tensors[number]
    guard entry.element == .int8 || entry.element == .float32 else { return nil }
    return Tensor(entry.element, entry.shape, from: LateTensor(reader: self, section: section))
  }

  /// A section with one tensor.
  private struct LateTensor: TensorSource {
    let reader: BundleReader
    let section: Int

    func fill(
      _ content: UnsafeMutableRawBufferPointer, _ scratch: ScratchMemory
    ) throws(ModelError) {
      try during("reading \(reader.title)") { () throws(ModelError) in
        try reader.withFrame(section, scratch) { (frame) throws(ModelError) in
          try reader.unpack(section, frame, into: content, scratch.next)
        }
      }
    }
  }

  private func unpackTensors(
    _ section: Int, _ members: [Int], _ scratch: ScratchMemory
  ) throws(ModelError) -> [(Int, Tensor)] {
    var made: [(Int, Tensor)] = []
    if members.count == 1 {
      let entry = header.tensors[members[0]]
      let tensor = try withFrame(section, scratch) { (frame) throws(ModelError) in
        try Tensor(entry.element, entry.shape) { (out) throws(ModelError) in
          try unpack(section, frame, into: out, scratch.next)
        }
      }
      made = [(members[0], tensor)]
    } else {
      let content = try bytes(section, scratch)
      var offset = 0
      for number in members {
        let entry = header.tensors[number]
        let slice = content[offset..<offset + entry.byteCount]
        offset += entry.byteCount
        made.append(
          (number, Tensor(entry.element, entry.shape, writing: { $0.copyBytes(from: slice) })))
      }
    }
    for (number, tensor) in made
    where !GraphText.areElements(tensor.bytes, of: tensor.element) {
      throw ModelError(
        .malformedInput, "B13: tensor #\(number) has bytes that are no \(tensor.element)")
    }
    return made
  }
}
