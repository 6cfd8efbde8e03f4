import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import ModelVerification
import TensorCore

/// What a key-value memory does while media go by: which slots are addressed when, how often, for which phones, and how
/// that changes from one form of a model to another.
package struct MemoryRequest: Sendable {
  package var model: String
  package var media = MediaRequest()
  /// Another form of the model, whose addresses are compared.
  package var against: String?
  /// A file of phones with the seconds at which they end.
  package var phones: String?
  /// The folder for pictures.
  package var output: String
  package var options = ExecutionOptions()

  package init(model: String, output: String) {
    self.model = model
    self.output = output
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> MemoryReport {
    try MediaFile.makeFolder(output)
    let first = try AddressHost(model, media, options, progress)
    let timings = try phones.map { (path) throws(ModelError) in try PhoneTimings(path) }
    let second = try against.map { (path) throws(ModelError) in
      try AddressHost(path, media, options, progress)
    }
    let title = MemoryReport.title(model: model, against: against)
    var memories: [MemoryReport.Memory] = []
    var page = HTMLPage(title: title)
    var names = FileNames()
    for (name, address) in try first.addresses() {
      let file = names.name(for: name) + ".png"
      let labels = timings?.labels(address.shape[0])
      let other = try second?.addresses().first { $0.name == name }
      let memory = try MemoryReport.Memory(
        name, address, labels: labels, other: other?.address, picture: output + "/" + file)
      let map = AddressMap(address, usage: memory.usage, labels: labels)
      try map.image.writePNG(to: output + "/" + file)
      memories.append(memory)
      memory.add(to: &page, map.drawing(file))
    }
    var strip: String?
    if let images = try first.oneSlotFrames() {
      let sheet = SlotSheet(images)
      strip = output + "/one-slot.png"
      try sheet.image.writePNG(to: output + "/one-slot.png")
      page.heading("each slot by itself")
      page.drawing(sheet.drawing("one-slot.png"))
    }
    let file = output + "/memory.html"
    try NewFile.write(Array(page.text.utf8), to: file)
    return MemoryReport(title: title, memories: memories, oneSlot: strip, page: file)
  }
}

/// What ``MemoryRequest`` found.
package struct MemoryReport: Report {
  package struct Memory: Encodable, Sendable {
    let name: String
    let frames: Int
    let slots: Int
    /// Slots that come first at least once.
    let firstSlots: Int
    /// Slots whose share never exceeds that of an even address.
    let deadSlots: Int
    /// e to the mean entropy: how many slots an address is spread over.
    let effectiveSlots: Double
    /// The mean share of each slot.
    let usage: [Double]
    /// Frames in which each slot comes first.
    let firsts: [Int]
    /// The commonest phones of the slots that come first, by slot.
    let phones: [String: [String: Int]]?
    /// The share of frames whose phone is the commonest of their slot.
    package let purity: Double?
    /// The same if one slot stood for all.
    package let chance: Double?
    package let topAgreement: Double?
    /// The same over frames whose first slot is clear.
    package let clearAgreement: Double?
    let clearFrames: Int?
    package let meanDivergence: Double?
    let picture: String

    init(
      _ name: String, _ address: Tensor, labels: [String]?, other: Tensor?, picture: String
    ) throws(ModelError) {
      self.name = name
      self.picture = picture
      let (frames, slots) = (address.shape[0], address.shape[1])
      let values = address.dequantized().doubles()
      var usage = [Double](repeating: 0, count: slots)
      var greatest = [Double](repeating: 0, count: slots)
      var firsts = [Int](repeating: 0, count: slots)
      var entropy = 0.0
      var tops: [Int] = []
      for frame in 0..<frames {
        var top = 0
        for slot in 0..<slots {
          let share = values[frame * slots + slot]
          usage[slot] += share
          greatest[slot] = max(greatest[slot], share)
          if share > values[frame * slots + top] { top = slot }
          if share > 0 { entropy -= share * log(share) }
        }
        firsts[top] += 1
        tops.append(top)
      }
      self.frames = frames
      self.slots = slots
      self.usage = usage.map { $0 / Double(max(frames, 1)) }
      self.firsts = firsts
      firstSlots = firsts.filter { $0 > 0 }.count
      deadSlots = greatest.filter { $0 <= 1 / Double(slots) }.count
      effectiveSlots = exp(entropy / Double(max(frames, 1)))
      if let labels {
        var table: [Int: [String: Int]] = [:]
        var all: [String: Int] = [:]
        for (slot, label) in zip(tops, labels) {
          table[slot, default: [:]][label, default: 0] += 1
          all[label, default: 0] += 1
        }
        let pure = table.values.reduce(0) { $0 + ($1.values.max() ?? 0) }
        purity = Double(pure) / Double(max(frames, 1))
        chance = Double(all.values.max() ?? 0) / Double(max(frames, 1))
        phones = Dictionary(
          table.map { (String($0.key), $0.value) }, uniquingKeysWith: { $1 })
      } else {
        (purity, chance, phones) = (nil, nil, nil)
      }
      let metrics = try other.map { (other) throws(ModelError) in
        try DistributionMetrics(other, against: address)
      }
      topAgreement = metrics?.topAgreement
      (clearAgreement, clearFrames) = (metrics?.clearAgreement, metrics?.clearRows)
      meanDivergence = metrics?.meanDivergence
    }

    /// What is told of it, a sentence each.
    private var findings: [String] {
      var findings = [
        "\(name): \(slots) slots over \(frames) frames; \(firstSlots) come first, \(deadSlots) are dead, "
          + String(format: "an address is spread over %.1f", effectiveSlots)
      ]
      findings.append(
        "first most often: "
          + busiest.map { "\($0.slot) (\($0.frames))" }.joined(separator: ", "))
      if let purity, let chance {
        findings.append(
          String(format: "phones: purity %.3f, of one slot for all %.3f", purity, chance))
      }
      if let topAgreement, let clearAgreement, let clearFrames, let meanDivergence {
        findings.append(
          String(
            format: "the other form: same slot first in %.1f %% of the frames, in %.1f %% of the "
              + "\(clearFrames) with no other slot within 1 %%, mean KL ",
            topAgreement * 100, clearAgreement * 100)
            + Figure.error(meanDivergence))
      }
      return findings
    }

    /// The slots that come first most often.
    private var busiest: [(slot: Int, frames: Int)] {
      firsts.enumerated().filter { $0.element > 0 }
        .sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }.prefix(8)
        .map { ($0.offset, $0.element) }
    }

    /// What sounds while they do.
    private var table: TextTable? {
      guard let phones else { return nil }
      var table = TextTable(["slot", "frames", "phones"], numeric: [0, 1])
      for (slot, frames) in busiest {
        let counts = (phones[String(slot)] ?? [:])
          .sorted { ($1.value, $0.key) < ($0.value, $1.key) }.prefix(5)
        table.add([
          "\(slot)", "\(frames)", counts.map { "\($0.key) \($0.value)" }.joined(separator: ", "),
        ])
      }
      return table
    }

    var lines: [String] {
      findings.prefix(1) + findings.dropFirst().map { "  " + $0 } + (table?.lines ?? [])
        + ["  \(picture)"]
    }

    func add(to page: inout HTMLPage, _ drawing: HTMLPage.Drawing) {
      page.heading(name)
      for finding in findings { page.paragraph(finding) }
      page.drawing(drawing)
      if let table { page.table(table) }
    }
  }

  /// The model, and the other form where there is one.
  let title: String
  package let memories: [Memory]
  /// One frame for each slot that is addressed alone, where the model draws.
  let oneSlot: String?
  /// All of this for a browser, with axes.
  package let page: String

  static func title(model: String, against: String?) -> String {
    let names = [model, against].compactMap { $0.map { ($0 as NSString).lastPathComponent } }
    return names.joined(separator: " beside ")
  }

  package var text: String {
    var lines = [title]
    lines += memories.flatMap(\.lines)
    if let oneSlot { lines.append("each slot by itself: \(oneSlot)") }
    lines.append("with axes: \(page)")
    return lines.joined(separator: "\n")
  }
}
