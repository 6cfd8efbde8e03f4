import ModelBundle
import ModelFamilies
import ModelIR
import TensorCore

/// What a bundle says of its own adaptation.
extension Conversion {
  /// Parts that adapt, in float32, to be stored beside their int8 form.
  func floatForms(_ parts: [ModelPart], _ family: FamilyModel?) -> [ModelPart] {
    guard precision == .int8, let family else { return [] }
    return family.parts.compactMap { part in
      guard family.family.adapting.contains(part.role),
        let graph = parts.first(where: { $0.name == part.name })?.graph
      else { return nil }
      return ModelPart(
        name: part.name + ModelFamily.floatSuffix,
        graph: family.recorded(
          in: graph, part: part.with(role: part.role + ModelFamily.floatSuffix)))
    }
  }

  /// Nil for models that no family knows to adapt.
  func declaration(
    _ parts: [ModelPart], _ family: FamilyModel?
  ) throws(ModelError) -> AdaptationRecord? {
    guard let family else { return nil }
    let presets = family.family.adapts(family) { name in
      parts.first { $0.name == name }?.graph
    }
    guard let usual = presets.first else {
      guard family.settings["adaptation"] == nil else {
        throw ModelError(.usage, "none of these parts can adapt")
      }
      return nil
    }
    var seen: Set<AdaptationRecord.Target> = []
    var tensors: [AdaptationRecord.Target] = []
    func targets(_ list: [(part: String, tensor: String)]) -> [AdaptationRecord.Target] {
      list.map { .init($0.part, $0.tensor) }
    }
    // What the usual choice leaves out of its parts may be asked for, too.
    for part in parts where usual.tensors.contains(where: { $0.part == part.name }) {
      for value in part.graph.values where value.fact.constant?.element == .float32 {
        guard (value.fact.constant?.shape.rank ?? 0) > 1 else { continue }
        if seen.insert(.init(part.name, value.name)).inserted {
          tensors.append(.init(part.name, value.name))
        }
      }
    }
    for preset in presets {
      for target in targets(preset.tensors) where seen.insert(target).inserted {
        tensors.append(target)
      }
    }
    var record = AdaptationRecord(
      presets: presets.map {
        .init($0.name, mask: $0.isHard ? .hard : .soft, tensors: targets($0.tensors))
      },
      tensors: tensors,
      floatForms: parts.compactMap { part in
        let float = part.name + ModelFamily.floatSuffix
        return parts.contains { $0.name == float } ? .init(part.name, float: float) : nil
      }, preset: usual.name)
    for line in family.settings["adaptation"] ?? [] { try record.set(line) }
    try record.check(against: parts.map { .init($0.name, $0.graph) })
    return record
  }
}

extension AdaptationRecord {
  /// A line `name value` of the setting.
  fileprivate mutating func set(_ line: String) throws(ModelError) {
    let words = line.split(separator: " ").map(String.init)
    guard words.count == 2 else {
      throw ModelError(.invalidValue, "'\(line)' is no default of an adaptation: `rate 3e-4`")
    }
    switch words[0] {
    case "preset": preset = words[1]
    case "steps": if let steps = Int(words[1]) { self.steps = steps }
    case "rate": if let rate = Double(words[1]) { self.rate = rate }
    case "factor": if let factor = Double(words[1]) { self.factor = factor }
    default:
      throw ModelError(.invalidValue, "an adaptation has no default '\(words[0])'")
    }
    guard presets.contains(where: { $0.name == preset }), (1...greatestSteps).contains(steps),
      rate > 0, rate <= greatestRate, factor > 0, factor.isFinite
    else { throw ModelError(.invalidValue, "'\(line)' is outside what an adaptation may do") }
  }
}
