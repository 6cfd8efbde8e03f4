import TensorCore

/// The table of contents of a bundle (`B6`…`B13`).
package struct BundleHeader: Sendable, Hashable {
  package enum Kind: String, Sendable, CaseIterable {
    case record, graph, golden, tensors

    /// Sections are in the order of their kinds.
    var order: Int { Kind.allCases.firstIndex(of: self) ?? 0 }
  }

  /// A stretch of the file that is packed by itself. Sections follow each other without gaps.
  package struct Section: Sendable, Hashable {
    package let kind: Kind
    package let name: String
    /// Of the content; nil where the header's own covers it.
    package let digest: Digest?
    package let byteCount: Int
    /// Of what the file has.
    package let storedByteCount: Int
    package var coding = SectionCoding.zstd
  }

  /// A tensor: the next bytes of the content of its section.
  package struct Entry: Sendable, Hashable {
    package let element: ElementType
    package let shape: Shape
    /// Index of a section of kind `tensors`.
    package let section: Int
    package var byteCount: Int { shape.count * element.byteCount }
  }

  package let sections: [Section]
  package let tensors: [Entry]

  /// Bits of the file that an eight-bit weight takes on average: in sections that hold nothing else and no goldens.
  package var bitsPerWeight: Double? {
    var (bytes, weights) = (0, 0)
    for (section, members) in zip(sections, members)
    where section.name != BundleContents.goldenTensors && !members.isEmpty
      && members.allSatisfy({ WeightCoder.canCode(tensors[$0].element) })
    {
      bytes += section.storedByteCount
      weights += section.byteCount
    }
    return weights == 0 ? nil : 8 * Double(bytes) / Double(weights)
  }

  /// The numbers of the tensors of each section.
  var members: [[Int]] {
    var members = [[Int]](repeating: [], count: sections.count)
    for (number, entry) in tensors.enumerated() { members[entry.section].append(number) }
    return members
  }

  func json(version: Int) -> JSON {
    [
      "sections": .array(
        sections.map { section in
          var members: [String: JSON] = [
            "kind": .string(section.kind.rawValue), "name": .string(section.name),
            "size": .integer(section.byteCount),
          ]
          if let digest = section.digest {
            members["sha256"] = .string(digest.description)
            members["stored"] = .integer(section.storedByteCount)
          }
          if version >= 3 { members["coding"] = .string(section.coding.rawValue) }
          return .object(members)
        }),
      "tensors": .array(
        tensors.map { entry in
          [
            "element": .string(entry.element.rawValue),
            "section": .integer(entry.section),
            "shape": .array(entry.shape.dimensions.map { .integer($0) }),
          ]
        }),
    ]
  }

  init(sections: [Section], tensors: [Entry]) {
    self.sections = sections
    self.tensors = tensors
  }

  init(bytes: [UInt8], version: Int) throws(ModelError) {
    let members = try JSON(bytes: bytes, canonical: true)
      .members(["sections", "tensors"], of: "B6: the header")
    sections = try members.member("sections").array("B6: sections").map(
      { (json) throws(ModelError) in try Section(json, version: version) })
    tensors = try members.member("tensors").array("B6: tensors").map(
      { (json) throws(ModelError) in try Entry(json) })
  }

  /// Everything that can be known before any section is unpacked.
  ///
  /// - Parameters:
  ///   - storedByteCount: bytes between the header and the signature or the end.
  func check(
    storedByteCount: Int, fileByteCount: Int, version: Int, limits: BundleLimits
  ) throws(ModelError) {
    guard sections.count <= limits.sections, tensors.count <= limits.tensors else {
      throw ModelError(
        .limitExceeded, "B20: \(sections.count) sections and \(tensors.count) tensors")
    }
    var names: Set<String> = []
    var stored = 0
    var content = 0
    var order = 0
    for section in sections {
      guard section.name.utf8.count <= limits.nameBytes else {
        throw ModelError(.limitExceeded, "B20: a section's name above \(limits.nameBytes) bytes")
      }
      guard section.kind.order >= order else {
        throw ModelError(.malformedInput, "B9: '\(section.name)' is out of order")
      }
      order = section.kind.order
      if section.kind != .tensors {
        guard names.insert("\(section.kind.rawValue) \(section.name)").inserted else {
          throw ModelError(.malformedInput, "B9: two sections are \(section)")
        }
      }
      let (nextStored, overflow) = stored.addingReportingOverflow(section.storedByteCount)
      let (nextContent, contentOverflow) = content.addingReportingOverflow(section.byteCount)
      guard !overflow, !contentOverflow else {
        throw ModelError(.malformedInput, "B10: sections longer than any file")
      }
      stored = nextStored
      content = nextContent
      let limit =
        switch section.kind {
        case .record, .golden: limits.recordBytes
        case .graph: limits.graphTextBytes
        case .tensors: limits.contentBytes
        }
      guard section.byteCount <= limit else {
        throw ModelError(.limitExceeded, "B20: \(section.byteCount) bytes of \(section)")
      }
    }
    guard stored == storedByteCount else {
      throw ModelError(
        .malformedInput,
        "B10: sections take \(stored) bytes where the file has \(storedByteCount)")
    }
    let expanded = limits.expansion * fileByteCount + limits.expansionFloor
    guard content <= limits.contentBytes, content <= expanded else {
      throw ModelError(
        .limitExceeded, "B12: \(fileByteCount) bytes that unpack to \(content)")
    }
    try checkTensors(version)
  }

  /// Tensors fill their sections, in order.
  private func checkTensors(_ version: Int) throws(ModelError) {
    var filled = [Int](repeating: 0, count: sections.count)
    var last = 0
    for (index, entry) in tensors.enumerated() {
      guard version >= 3 || entry.section >= last, sections.indices.contains(entry.section),
        sections[entry.section].kind == .tensors
      else {
        throw ModelError(
          .malformedInput, "B13: tensor #\(index) is in section \(entry.section)")
      }
      last = entry.section
      guard entry.byteCount <= sections[entry.section].byteCount - filled[entry.section] else {
        throw ModelError(
          .malformedInput, "B13: tensor #\(index) goes beyond \(sections[entry.section])")
      }
      filled[entry.section] += entry.byteCount
    }
    for (index, section) in sections.enumerated() where section.kind == .tensors {
      guard filled[index] == section.byteCount else {
        throw ModelError(
          .malformedInput,
          "B13: tensors of \(filled[index]) bytes do not fill the \(section.byteCount) of \(section)"
        )
      }
    }
  }
}

extension BundleHeader.Section: CustomStringConvertible {
  package var description: String { "\(kind.rawValue) '\(name)'" }
}

extension BundleHeader.Section {
  init(_ json: JSON, version: Int) throws(ModelError) {
    var names: Set = ["kind", "name", "size"]
    var coding = SectionCoding.zstd
    if version >= 3 {
      names.insert("coding")
      let name = try json.object("B9: a section").member("coding")
        .string("B27: a section's coding")
      guard let known = SectionCoding(rawValue: name) else {
        throw ModelError(.unsupportedFeature, "B27: sections of coding '\(name)' are not known")
      }
      guard known.firstVersion <= version else {
        throw ModelError(.unsupportedFeature, "B27: version \(version) has no coding '\(name)'")
      }
      coding = known
    }
    if coding != .header { names.formUnion(["sha256", "stored"]) }
    let members = try json.members(names, of: "B9: a section")
    let kindName = try members.member("kind").string("B9: a section's kind")
    guard let kind = BundleHeader.Kind(rawValue: kindName) else {
      throw ModelError(.unsupportedFeature, "B9: sections of kind '\(kindName)' are not known")
    }
    guard coding == .zstd || (coding == .header) == (kind != .tensors) else {
      throw ModelError(.malformedInput, "B27: a section of kind \(kind) of coding '\(coding)'")
    }
    var (digest, stored): (Digest?, Int) = (nil, 0)
    if coding != .header {
      digest = Digest(try members.member("sha256").string("B9: sha256"))
      guard digest != nil else {
        throw ModelError(.malformedInput, "B9: sha256 is not 64 lower-case hexadecimal digits")
      }
      stored = try members.member("stored").count("B9: stored")
    }
    self.init(
      kind: kind, name: try members.member("name").string("B9: a section's name"),
      digest: digest, byteCount: try members.member("size").count("B9: size"),
      storedByteCount: stored, coding: coding)
  }
}

extension BundleHeader.Entry {
  init(_ json: JSON) throws(ModelError) {
    let members = try json.members(["element", "section", "shape"], of: "B13: a tensor")
    let name = try members.member("element").string("B13: element")
    guard let element = ElementType(rawValue: name) else {
      throw ModelError(.unsupportedFeature, "B13: element type '\(name)' is not known")
    }
    let extents = try members.member("shape").array("B13: shape").map(
      { (json) throws(ModelError) in try json.count("B13: an extent") })
    self.init(
      element: element, shape: try Shape(extents),
      section: try members.member("section").count("B13: section"))
  }
}
