import ModelIR
import TensorCore

/// Makes bundles: the same contents and options give the same bytes (`B19`).
package struct BundleWriter: Sendable {
  package var signingKey: SigningKey?
  package var limits = BundleLimits()
  /// Bundles whose tensors have fewer bytes are written in version 1 or 2, which every reader takes (`B27`).
  package var codedBytes = 1 << 10
  /// The newest version to write.
  package var newestVersion = BundlePreamble.versions.upperBound

  package init(signingKey: SigningKey? = nil) { self.signingKey = signingKey }

  /// Tensors below this many bytes share sections.
  static let smallTensorBytes = 64 << 10
  static let sharedSectionBytes = 1 << 20
  /// Whole numbers that a text of a graph has in place of a tensor's number.
  static let mostSpelled = 8

  /// Puts the bundle at `path`, all or nothing.
  package func write(_ contents: BundleContents, to path: String) throws(ModelError) {
    try NewFile.write(try bytes(of: contents), to: path)
  }

  /// - Throws: `invalid-value` for names that repeat or goldens that do not fit their graph;
  ///   `limit-exceeded` for what no reader would take.
  package func bytes(of contents: BundleContents) throws(ModelError) -> [UInt8] {
    var table = TensorTable()
    let owned = Set(contents.bankTensors.map { ObjectIdentifier($0.storage) })
    let bank = StoredBank.section(contents.banks?.used ?? StoredBank.trained)
    var graphs: [Draft] = []
    let scales = ScaleTable(
      newestVersion >= 5 ? contents.graphs.flatMap(\.graph.withInner) : [])
    let places = try scales.places { (tensor) throws(ModelError) in
      try table.number(tensor, group: BundleContents.constantTensors)
    }
    for named in contents.graphs {
      try BundleWriter.checkAttributes(of: named.graph)
      var numbers = TensorNumbers()
      numbers.scales = places
      for graph in named.graph.withInner {
        for value in graph.values {
          guard let tensor = value.fact.constant, places.isEmpty || !Self.isSpelled(tensor)
          else { continue }
          let isOwned = owned.contains(ObjectIdentifier(tensor.storage))
          numbers[tensor] = try table.number(
            tensor, group: isOwned ? bank : BundleContents.constantTensors)
        }
      }
      let text = GraphText.print(named.graph, .numbered(numbers))
      graphs.append(Draft(kind: .graph, name: named.name, content: .bytes(Array(text.utf8))))
    }
    var contents = contents
    if let banks = contents.banks {
      try banks.check(against: contents.graphs)
      contents.records[StoredBank.record] = try banks.json {
        (tensor, section) throws(ModelError) in try table.number(tensor, group: section)
      }
    }
    var drafts = try records(of: contents) + graphs
    for golden in contents.goldens {
      guard let graph = contents.graph(golden.graph) else {
        throw ModelError(.invalidValue, "golden '\(golden.name)' names no graph of the bundle")
      }
      try during("golden '\(golden.name)'") { () throws(ModelError) in
        try golden.check(against: graph)
      }
      let json = try golden.json { (tensor) throws(ModelError) in
        try table.number(tensor, group: BundleContents.goldenTensors)
      }
      drafts.append(Draft(kind: .golden, name: golden.name, content: .bytes(json.bytes)))
    }
    let first = drafts.count
    let isCoded = table.byteCount >= codedBytes || !places.isEmpty
    let (sections, entries) = try table.sections(from: first, isCoded: isCoded)
    let version = !places.isEmpty ? 5 : isCoded ? 3 : contents.join == nil ? 1 : 2
    return try assemble(drafts + sections, entries, version: version)
  }

  /// Whether a constant is part of its graph's text (`B73`): a shape or an index is no longer there than the number of a tensor.
  private static func isSpelled(_ tensor: Tensor) -> Bool {
    tensor.element == .int64 && tensor.count <= mostSpelled
  }

  /// What tensors take of a bundle as a section of their own.
  package static func storedByteCount(of tensors: [Tensor]) throws(ModelError) -> Int {
    let draft = Draft(kind: .tensors, name: "", content: .tensors(tensors))
    return try draft.content.withBytes { (bytes) throws(ModelError) in
      try SectionCoding.shortest(tensors, bytes).stored.count
    }
  }

  /// Refuses what the text form does not read: whole numbers (`T15`) and graphs too deep (`T17`).
  private static func checkAttributes(of graph: Graph) throws(ModelError) {
    guard graph.depth <= Graph.maximumDepth else {
      throw ModelError(
        .limitExceeded, "T17: graphs within graphs \(graph.depth) deep, above \(Graph.maximumDepth)"
      )
    }
    for node in graph.withInner.flatMap(\.nodes) {
      for (name, value) in node.op.attributes {
        let integers: [Int] =
          switch value {
          case .integer(let value): [value]
          case .integers(let list): list
          default: []
          }
        guard integers.allSatisfy(GraphTextLimits.integers.contains) else {
          throw ModelError(
            .limitExceeded, "T15: '\(name)' of node '\(node.name)' is \(integers)")
        }
      }
    }
  }

  private func records(of contents: BundleContents) throws(ModelError) -> [Draft] {
    var records = contents.records
    if let join = contents.join {
      guard records[BundleJoin.record] == nil else {
        throw ModelError(.invalidValue, "the record 'join' is the join's own")
      }
      try join.check(against: contents.graphs)
      records[BundleJoin.record] = join.json
    }
    guard records[BundleContents.manifestRecord] == nil else {
      throw ModelError(.invalidValue, "the record 'manifest' is the manifest's own")
    }
    records[BundleContents.manifestRecord] = try JSON(encoding: contents.manifest)
    return records.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
      .map { Draft(kind: .record, name: $0.key, content: .bytes($0.value.bytes)) }
  }

  /// Numbers of the drafts that the header's frame holds (`B70`).
  private static func besideHeader(_ drafts: [Draft]) -> [Int] {
    var taken = 0
    return drafts.indices.filter { index in
      guard drafts[index].kind != .tensors,
        taken + drafts[index].content.byteCount <= HeaderFrame.contentLimit
      else { return false }
      taken += drafts[index].content.byteCount
      return true
    }
  }

  private func assemble(
    _ drafts: [Draft], _ entries: [BundleHeader.Entry], version: Int
  ) throws(ModelError) -> [UInt8] {
    let beside = version >= 5 ? BundleWriter.besideHeader(drafts) : []
    let packed = try concurrently(drafts.count) { (index) throws(ModelError) in
      try drafts[index].packed(
        version: version, newestVersion: newestVersion, isBeside: beside.contains(index))
    }
    let version =
      version < 3 ? version : packed.reduce(version) { max($0, $1.coding.firstVersion) }
    let sections = zip(drafts, packed).map { draft, packed in
      BundleHeader.Section(
        kind: draft.kind, name: draft.name, digest: packed.digest,
        byteCount: draft.content.byteCount, storedByteCount: packed.stored.count,
        coding: packed.coding)
    }
    let header = BundleHeader(sections: sections, tensors: entries)
    var texts: [UInt8] = []
    for index in beside { texts += try drafts[index].content.withBytes { Array($0) } }
    var headerBytes = HeaderFrame(header: header.json(version: version).bytes, contents: texts)
      .bytes(version: version)
    guard headerBytes.count <= limits.headerBytes else {
      throw ModelError(.limitExceeded, "B20: a header of \(headerBytes.count) bytes")
    }
    if version >= 3 {
      headerBytes = try headerBytes.withUnsafeBufferPointer { (bytes) throws(ModelError) in
        try ZstdFrame.compress(
          UnsafeRawBufferPointer(bytes), SectionCoding.textEffort(byteCount: bytes.count))
      }
    }
    let stored = packed.reduce(0) { $0 + $1.stored.count }
    let preamble = BundlePreamble(
      version: version, isSigned: signingKey != nil, header: headerBytes,
      contentByteCount: stored)
    try header.check(
      storedByteCount: stored, fileByteCount: preamble.fileByteCount, version: version,
      limits: limits)
    var file = preamble.bytes
    file.reserveCapacity(preamble.fileByteCount)
    file += headerBytes
    for section in packed { file += section.stored }
    if let signingKey { file += try BundleSignatureBlock.sign(preamble.bytes, with: signingKey) }
    return file
  }
}

/// A section before it is packed.
struct Draft: Sendable {
  enum Content: Sendable {
    case bytes([UInt8])
    case tensors([Tensor])

    var byteCount: Int {
      switch self {
      case .bytes(let bytes): bytes.count
      case .tensors(let tensors): tensors.reduce(0) { $0 + $1.byteCount }
      }
    }

    func withBytes<R>(
      _ body: (UnsafeRawBufferPointer) throws(ModelError) -> R
    ) throws(ModelError) -> R {
      switch self {
      case .tensors(let tensors) where tensors.count == 1: return try body(tensors[0].bytes)
      case .tensors(let tensors):
        var joined: [UInt8] = []
        joined.reserveCapacity(byteCount)
        for tensor in tensors { joined.append(contentsOf: tensor.bytes) }
        return try joined.withUnsafeBufferPointer { (buffer) throws(ModelError) in
          try body(UnsafeRawBufferPointer(buffer))
        }
      case .bytes(let bytes):
        return try bytes.withUnsafeBufferPointer { (buffer) throws(ModelError) in
          try body(UnsafeRawBufferPointer(buffer))
        }
      }
    }
  }

  let kind: BundleHeader.Kind
  let name: String
  let content: Content

  /// The content's digest, and its form in the file; nothing of what is beside the header.
  func packed(
    version: Int, newestVersion: Int, isBeside: Bool
  ) throws(ModelError) -> (digest: Digest?, coding: SectionCoding, stored: [UInt8]) {
    guard !isBeside else { return (nil, .header, []) }
    return try content.withBytes { (bytes) throws(ModelError) in
      let digest = Digest(of: bytes)
      switch content {
      case .tensors(let tensors) where version >= 3:
        let (coding, stored) = try SectionCoding.shortest(
          tensors, bytes, newestVersion: newestVersion)
        return (digest, coding, stored)
      case .tensors:
        return (digest, .zstd, try ZstdFrame.compress(bytes, SectionCoding.tensorEffort))
      case .bytes:
        let effort =
          bytes.count <= BundleWriter.sharedSectionBytes
          ? SectionCoding.textEffort(byteCount: bytes.count) : SectionCoding.tensorEffort
        return (digest, .zstd, try ZstdFrame.compress(bytes, effort))
      }
    }
  }
}

/// The tensors of a bundle, each stored once (`B14`).
private struct TensorTable {
  private struct Key: Hashable {
    let element: ElementType
    let shape: Shape
    let digest: Digest
  }
  private var numbers: [Key: Int] = [:]
  private var known: [ObjectIdentifier: Digest] = [:]
  private var tensors: [(tensor: Tensor, group: String)] = []

  mutating func number(_ tensor: Tensor, group: String) throws(ModelError) -> Int {
    guard GraphText.areElements(tensor.bytes, of: tensor.element) else {
      throw ModelError(.invalidValue, "bytes that are not \(tensor.element)")
    }
    let storage = ObjectIdentifier(tensor.storage)
    let digest = known[storage] ?? Digest(of: tensor)
    known[storage] = digest
    let key = Key(element: tensor.element, shape: tensor.shape, digest: digest)
    if let number = numbers[key] { return number }
    numbers[key] = tensors.count
    tensors.append((tensor, group))
    return tensors.count - 1
  }

  var byteCount: Int { tensors.reduce(0) { $0 + $1.tensor.byteCount } }

  private struct Group {
    let name: String
    var tensors: [Tensor]
    /// In the order of ``tensors``.
    var numbers: [Int]
    var byteCount: Int
    let isShared: Bool
  }

  /// Tensors by what ``sections(from:isCoded:)`` puts together: neighbours, or, where sections are coded, those of one `kind`.
  private func groups(_ kind: ((_ number: Int) -> String)?) -> [Group] {
    var groups: [Group] = []
    var open: [String: Int] = [:]
    for (number, (tensor, name)) in tensors.enumerated() {
      let isSmall = tensor.byteCount < BundleWriter.smallTensorBytes
      let key = kind.map { "\(name) \($0(number))" } ?? name
      if isSmall, let shared = open[key],
        groups[shared].byteCount + tensor.byteCount <= BundleWriter.sharedSectionBytes
      {
        groups[shared].tensors.append(tensor)
        groups[shared].numbers.append(number)
        groups[shared].byteCount += tensor.byteCount
      } else {
        groups.append(
          Group(
            name: name, tensors: [tensor], numbers: [number], byteCount: tensor.byteCount,
            isShared: isSmall))
        if kind == nil { open = [:] }
        if isSmall { open[key] = groups.count - 1 }
      }
    }
    return groups
  }

  /// What those groups take of a bundle whose number depends on what is put together.
  private static func cost(_ groups: [Group]) throws(ModelError) -> Int {
    var cost = 0
    for group in groups where group.isShared && group.tensors[0].element.byteCount > 1 {
      cost += try BundleWriter.storedByteCount(of: group.tensors) + sectionByteCount
    }
    return cost
  }

  /// About what digest and lengths of a section take of the header.
  private static let sectionByteCount = 48

  /// Whether each tensor is one of weights in which bytes come again so that, other than by how they are spread, it takes a section
  /// less: a table of sines has few rows that nothing else says.
  private func areRepeated() throws(ModelError) -> [Bool] {
    try concurrently(tensors.count) { (number) throws(ModelError) in
      let tensor = tensors[number].tensor
      guard GroupCoder.canCode(tensor.element), tensor.byteCount < BundleWriter.smallTensorBytes
      else { return false }
      let repeated = try ZstdFrame.compress(tensor.bytes, SectionCoding.tensorEffort)
      // The others share their states.
      let states = 4 * WeightCoder.Turns.throughout.lanes
      let spread = min(
        try WeightCoder.encode([tensor], .throughout).count - states,
        try GroupCoder.encode([tensor])?.count ?? .max)
      return repeated.count + Self.sectionByteCount < spread
    }
  }

  /// Large tensors have a section of their own. Small ones of one group share one: neighbours, or, where sections are
  /// coded, those of one element type, or of as many bytes to an element where that is shorter.
  func sections(
    from first: Int, isCoded: Bool
  ) throws(ModelError) -> (drafts: [Draft], entries: [BundleHeader.Entry]) {
    let areRepeated = isCoded ? try areRepeated() : []
    var groups = groups(
      isCoded ? { "\(self.tensors[$0].tensor.element) \(areRepeated[$0])" } : nil)
    if isCoded {
      let joined = self.groups {
        let element = self.tensors[$0].tensor.element
        return element.byteCount > 1 ? "\(element.byteCount)" : "\(element) \(areRepeated[$0])"
      }
      if joined.count < groups.count, try Self.cost(joined) < Self.cost(groups) { groups = joined }
    }
    var sections = [Int](repeating: 0, count: tensors.count)
    for (section, group) in groups.enumerated() {
      for number in group.numbers { sections[number] = first + section }
    }
    let entries = zip(tensors, sections).map { stored, section in
      BundleHeader.Entry(
        element: stored.tensor.element, shape: stored.tensor.shape, section: section)
    }
    let drafts = groups.map { Draft(kind: .tensors, name: $0.name, content: .tensors($0.tensors)) }
    return (drafts, entries)
  }
}
