import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import TensorCore

/// The samples of each part of a model: those of a folder for the part, or those of a folder for the
/// whole, whose tensors go through the parts as the family's links say, or whose media the family makes
/// inputs of.
final class PartSamples: FamilyHost {
  let isCalibrating = true
  private let parts: [ModelPart]
  private let family: FamilyModel?
  private let links: [ModelFamily.Link]
  private let options: ExecutionOptions
  private var runners: [String: PartRunner] = [:]
  private var receive: (String, Sample) throws(ModelError) -> Void = { _, _ in }
  private var title = ""
  private var fed = 0

  /// - Parameter parts: in float, as converted.
  init(_ parts: [ModelPart], _ family: FamilyModel?, threads: Int) {
    self.parts = parts
    self.family = family
    links = (family?.links ?? []).filter { $0.rule == ModelFamily.Link.same }
    options = ExecutionOptions(threads: threads)
  }

  /// Calls `body` with the name of a part and a sample for it, one after the other.
  func forEach(
    in path: String, box: Box?,
    _ body: @escaping (String, Sample) throws(ModelError) -> Void
  ) throws(ModelError) {
    let own = parts.filter { part in
      var isFolder: ObjCBool = false
      return parts.count > 1
        && FileManager.default.fileExists(atPath: "\(path)/\(part.name)", isDirectory: &isFolder)
        && isFolder.boolValue
    }
    for part in own {
      let folder = try SampleFolder("\(path)/\(part.name)")
      try folder.forEach(SamplePorts(part.graph)) { (sample) throws(ModelError) in
        try body(part.name, sample)
      }
    }
    guard own.count < parts.count else { return }
    if !own.isEmpty {
      let missing = parts.filter { part in !own.contains { $0.name == part.name } }.map(\.name)
      throw ModelError(
        .missingInput, "'\(path)' has no folder for part \(missing.joined(separator: ", "))")
    }
    let folder = try SampleFolder(path)
    try folder.forEach(SamplePorts(parts, links)) { (sample) throws(ModelError) in
      try pass(sample, body)
    }
    guard folder.hasMedia(for: family?.family) else {
      guard folder.hasTensors else {
        throw ModelError(.missingInput, "'\(path)' holds no samples that the model can start from")
      }
      return
    }
    guard let family else {
      // Pictures and recordings may lie beside tensors that are samples.
      guard !folder.hasTensors else { return }
      throw ModelError(
        .unsupportedFeature,
        "'\(path)' holds media, but the model is of no family that knows what to do with them")
    }
    receive = body
    try folder.forEachMedia(family.family, box: box) { (name, media) throws(ModelError) in
      title = name
      fed = 0
      try during("preparing '\(name)'") { () throws(ModelError) in
        try family.family.perform(family, media, self)
      }
    }
  }

  /// A sample of the whole model as one of each part.
  private func pass(
    _ sample: Sample, _ body: (String, Sample) throws(ModelError) -> Void
  ) throws(ModelError) {
    guard parts.count > 1 else { return try body(parts[0].name, sample) }
    var made: [String: [String: Tensor]] = [:]
    var open = parts
    while let index = open.firstIndex(where: { part in
      links.allSatisfy { $0.to.part != part.name || made[$0.from.part] != nil }
    }) {
      let part = open.remove(at: index)
      var inputs: [String: Tensor] = [:]
      for port in part.graph.inputs {
        let link = links.first { $0.to.part == part.name && $0.to.port == port.name }
        inputs[port.name] =
          link.flatMap { made[$0.from.part]?[$0.from.port] } ?? sample.inputs[port.name]
      }
      // A sample need not be for every part.
      guard inputs.count == part.graph.inputs.count else { continue }
      let names = Set(part.graph.outputs.map(\.name))
      try body(
        part.name,
        Sample(
          name: sample.name, inputs: inputs,
          outputs: sample.outputs.filter { names.contains($0.key) }))
      made[part.name] = try runner(part.name).run(inputs)
    }
  }

  private func runner(_ name: String) throws(ModelError) -> PartRunner {
    if let runner = runners[name] { return runner }
    guard let part = parts.first(where: { $0.name == name }) else {
      throw ModelError(.missingInput, "the model has no part '\(name)'")
    }
    let runner = try PartRunner(part, options)
    runners[name] = runner
    return runner
  }

  // MARK: - What a family does with media

  func run(
    _ part: FamilyModel.Part, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor] {
    try feed(part, inputs)
    return try runner(part.name).run(inputs)
  }

  func feed(_ part: FamilyModel.Part, _ inputs: [String: Tensor]) throws(ModelError) {
    fed += 1
    try receive(part.name, Sample(name: "\(title) \(fed)", inputs: inputs, outputs: [:]))
  }

  func show(_ product: Product) {}
  func progress(_ done: Int, of total: Int) {}
}
