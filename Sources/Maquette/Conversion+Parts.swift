import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import ModelQuantization
import OnnxFormat
import TensorCore

/// A file that becomes a part, or several.
struct ConversionSource {
  let part: String
  let file: ModelFile
}

/// Samples by the part that they are for.
final class Gathered {
  private var samples: [String: [Sample]] = [:]
  private var limit: Int

  init(limit: Int) { self.limit = limit }

  func restart(limit: Int) {
    samples = [:]
    self.limit = limit
  }

  func add(_ part: String, _ sample: Sample) {
    if samples[part, default: []].count < limit { samples[part, default: []].append(sample) }
  }

  var isEmpty: Bool { samples.isEmpty }
  var hasOutputs: Bool { samples.values.contains { $0.contains { !$0.outputs.isEmpty } } }
  subscript(_ part: String) -> [Sample] { samples[part] ?? [] }
}

/// What is seen of a part while samples go by: first how great its channels get, where they are to be balanced,
/// then, in another round, what the balanced graph computes.
final class PartObserver {
  let part: ModelPart
  private let prepared: Graph
  private let threads: Int
  private let watchesOperands: Bool
  private let sharesOutNoise: Bool
  private var survey: ChannelSurvey?
  private var calibration: Calibration
  /// Inputs that are to be observed together.
  private var waiting: [[Tensor]] = []
  private var waitingBytes = 0
  /// By which the noise of weights is shared out.
  private var drawn: DrawnSamples
  private var probes: [WeightSensitivity.Sample] = []
  /// The noise of weights, shared out once.
  private var noise: WeightNoise?
  /// What forms of layers cost, found once.
  private var study: PlanStudy?

  init(_ part: ModelPart, _ request: Conversion) throws(ModelError) {
    self.part = part
    threads = request.threads
    watchesOperands = request.rounding == .adaptive
    sharesOutNoise = request.sharesOutNoise
    drawn = DrawnSamples(most: sharesOutNoise ? 2 : 0)
    prepared = try Quantizer.prepared(part.graph)
    calibration = Calibration(prepared, watchesOperands: watchesOperands, threads: threads)
    if request.balance != .none {
      survey = ChannelSurvey(prepared, request.balance, threads: threads)
    }
  }

  /// Takes in a sample of the first round.
  func survey(_ sample: Sample) throws(ModelError) {
    let inputs = try prepared.ordered(sample.inputs)
    try survey?.observe(inputs)
  }

  /// Ends the first round.
  func balance() throws(ModelError) {
    if let graph = try survey?.balanced() {
      calibration = Calibration(graph, watchesOperands: watchesOperands, threads: threads)
    }
    survey = nil
  }

  var samples: Int { calibration.samples + waiting.count }

  var nodeNames: [String] { prepared.nodes.map(\.name) }

  /// Values that are not finite and that no range holds: of the first tensor that has them.
  var strays: String? {
    guard let (name, count, others) = calibration.strays else { return nil }
    return "values that are not finite are left out: \(count) of '\(name)'"
      + (others > 0 ? ", and some of \(others) other tensors" : "")
  }

  /// What a later calibration goes on from.
  func sketch() throws(ModelError) -> PartSketch {
    try PartSketch(
      calibration.sketch, drawn: sharesOutNoise ? drawn.samples : nil, of: prepared)
  }

  /// Goes on from earlier samples.
  func merge(_ sketch: PartSketch) throws(ModelError) {
    try calibration.merge(sketch.calibration)
    guard sharesOutNoise else { return }
    drawn.offer(try sketch.samples(of: prepared))
  }

  func observe(_ sample: Sample) throws(ModelError) {
    let inputs = try during("calibrating '\(part.name)' with '\(sample.name)'") {
      () throws(ModelError) in try prepared.ordered(sample.inputs)
    }
    waiting.append(inputs)
    waitingBytes += inputs.reduce(0) { $0 + $1.byteCount }
    if waiting.count.isMultiple(of: threads), waitingBytes >= Self.bytesTogether {
      try observeWaiting()
    }
  }

  /// As many samples for each thread wait for each other, more while they are small together.
  private static let bytesTogether = 2 << 20

  /// Ends the last round.
  func finish() throws(ModelError) {
    try observeWaiting()
    probes = try drawn.probes { (samples) throws(ModelError) in
      try calibration.outputs(samples)
    }
    calibration.rest()
  }

  private func observeWaiting() throws(ModelError) {
    let samples = waiting
    (waiting, waitingBytes) = ([], 0)
    let places = drawn.offer(samples)
    let outputs = try during("calibrating '\(part.name)'") { () throws(ModelError) in
      try calibration.observe(samples: samples, keeping: Set(places.values))
    }
    drawn.learn(places.compactMapValues { outputs[$0] })
  }

  /// - Parameters:
  ///   - samples: those that a plan is measured on.
  ///   - size: the part's share of the bundle's, where that has a limit.
  func quantized(
    _ request: Conversion, _ family: FamilyModel?, _ samples: [Sample], size: PlanSize?
  ) throws(ModelError) -> ModelPart {
    var quantizer = Quantizer(
      method: request.method, rounding: request.rounding, keptFloat: request.keptFloat)
    quantizer.keepFloat(by: family, in: prepared)
    quantizer.grid = request.grid
    quantizer.wide =
      request.wide.contains(Conversion.everyLayer)
      ? Set(prepared.nodes.map(\.name)) : request.wide
    let ranges = try quantizer.ranges(calibration)
    quantizer.wideShare = request.wideShare
    // Unless a plan says otherwise.
    var forms: FormPlan? = quantizer.forms(calibration, ranges)
    quantizer.noise = try noise(request, quantizer, ranges, forms)
    var plan: PrecisionPlan?
    let targets = request.plan.targets(part, family, size: size)
    if !targets.isEmpty {
      quantizer.wideShare = 0
      forms = nil
      let study = try study(quantizer, samples, isTimed: targets.milliseconds != nil)
      (quantizer, plan) = try during("planning '\(part.name)'") { () throws(ModelError) in
        try study.plan(quantizer, calibration, targets, spare: request.wideShare)
      }
    }
    var made = try quantizer.quantize(calibration, ranges, forms)
    made.record.precisionPlan = plan
    return ModelPart(name: part.name, graph: made.graph, record: made.record)
  }

  /// How coarsely weights may be rounded, by samples that were drawn of those that passed.
  private func noise(
    _ request: Conversion, _ quantizer: Quantizer, _ ranges: Quantizer.Ranges, _ forms: FormPlan?
  ) throws(ModelError) -> WeightNoise {
    guard request.sharesOutNoise else { return WeightNoise() }
    if let noise { return noise }
    var plain = quantizer
    if plain.rounding == .adaptive { plain.rounding = .corrected }
    let sensitivity = try WeightSensitivity(
      calibration.graph, integer: plain.quantize(calibration, ranges, forms).graph, samples: probes,
      threads: threads)
    let made = WeightNoise(share: request.chosenWeightNoise, sensitivity)
    noise = made
    return made
  }

  private func study(
    _ quantizer: Quantizer, _ samples: [Sample], isTimed: Bool
  ) throws(ModelError) -> PlanStudy {
    if let study { return study }
    let inputs = try samples.map { (sample) throws(ModelError) in
      try prepared.ordered(sample.inputs)
    }
    let made = try PlanStudy(
      quantizer, calibration, inputs, isTimed: isTimed, threads: threads,
      storedBytes: BundleWriter.storedByteCount)
    study = made
    return made
  }
}

extension Quantizer {
  /// Keeps nodes of `graph` float where the family has a reason.
  mutating func keepFloat(by family: FamilyModel?, in graph: Graph) {
    guard let family else { return }
    for node in graph.nodes {
      guard let reason = family.reasonToStayFloat(node, in: graph) else { continue }
      keptFloat.insert(node.name)
      keptFloatReasons[node.name] = .family(reason)
    }
  }
}

extension Conversion {
  /// Reads the files.
  ///
  /// - Throws: `usage` for parts of one name or none, and for int8 without samples.
  func sources() throws(ModelError) -> [ConversionSource] {
    guard !models.isEmpty else { throw ModelError(.usage, "there is no model to convert") }
    guard Set(models.map(\.part)).count == models.count else {
      throw ModelError(.usage, "two parts have one name")
    }
    let sources = try models.map { (model) throws(ModelError) in
      guard Conversion.isPartName(model.part) else {
        throw ModelError(
          .usage, "'\(model.part)' is no name of a part: lower-case letters, digits and hyphens")
      }
      return ConversionSource(part: model.part, file: try ModelFile(model.file))
    }
    guard precision == .int8 else {
      let idle = optionsOfInt8
      guard idle.isEmpty else {
        let names = idle.map { "--\($0)" }.joined(separator: ", ")
        throw ModelError(.usage, "\(names): of int8 bundles; give --precision int8")
      }
      return sources
    }
    guard sketch == nil || balance == .none else {
      throw ModelError(
        .usage, "a sketch is of the graph as it is; channels that are balanced are not")
    }
    guard calibration != nil else {
      throw ModelError(.usage, "int8 needs samples to calibrate with: give --calibration DIR")
    }
    for source in sources where source.file.isQuantized {
      throw ModelError(
        .unsupportedFeature,
        "'\(source.file.path)' is quantized already; convert the float model")
    }
    return sources
  }

  /// Names of the options that were given and that nothing but int8 heeds.
  private var optionsOfInt8: [String] {
    let usual = Conversion(models: [], output: "")
    let given = [
      ("calibration", calibration != nil), ("keep-samples", keptSamples != nil),
      ("sketch", sketch != nil), ("method", method != usual.method),
      ("rounding", rounding != usual.rounding), ("balance", balance != usual.balance),
      ("weight-noise", weightNoise != nil), ("weight-bits", grid != nil),
      ("keep-float", !keptFloat.isEmpty), ("wide", !wide.isEmpty),
      ("wide-share", wideShare != usual.wideShare),
    ]
    return given.filter(\.1).map(\.0)
  }

  private static func isPartName(_ name: String) -> Bool {
    !name.isEmpty && name.utf8.count <= 64
      && name.allSatisfy { ("a"..."z").contains($0) || ("0"..."9").contains($0) || $0 == "-" }
  }

  /// The lines of the settings' files, on top of what a bundle that is converted has.
  func readSettings() throws(ModelError) -> [String: [String]] {
    var read: [String: [String]] = [:]
    for (name, path) in settings.sorted(by: { $0.key < $1.key }) {
      let bytes = try FileAccess.read(path)
      guard bytes.count <= 16 << 20 else {
        throw ModelError(.limitExceeded, "'\(path)' is larger than 16 MiB")
      }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw ModelError(.malformedInput, "'\(path)' is not UTF-8")
      }
      let lines = text.split(whereSeparator: \.isNewline).map(String.init)
      guard !lines.isEmpty else { throw ModelError(.invalidValue, "'\(path)' has no lines") }
      read[name] = lines
    }
    return read
  }

  /// The parts that the files hold, and the family that they are of together.
  func recognised(
    _ sources: [ConversionSource], _ settings: [String: [String]]
  ) throws(ModelError) -> ([ModelPart], FamilyModel?) {
    var parts: [ModelPart] = []
    var settings = settings
    for source in sources {
      let isWhole = source.file.parts.count > 1
      for part in source.file.parts {
        let name = isWhole ? part.name : source.part
        let family = FamilyModel(part.graph)
        let pieces =
          isWhole || part.isQuantized ? [] : try family?.family.split(part.graph) ?? []
        guard pieces.count > 1 else {
          parts.append(
            ModelPart(
              name: name, graph: part.graph, goldens: part.goldens, record: part.record,
              sourceNodes: part.sourceNodes))
          continue
        }
        for piece in pieces {
          parts.append(ModelPart(name: piece.name ?? name, graph: piece.graph))
        }
      }
      settings.merge(source.file.family?.settings ?? [:], uniquingKeysWith: { given, _ in given })
    }
    guard Set(parts.map(\.name)).count == parts.count else {
      throw ModelError(.usage, "two parts have one name")
    }
    let family = FamilyModel(
      parts.map { (name: $0.name, graph: $0.graph) }, settings: settings)
    for name in settings.keys.sorted() {
      guard let family, family.family.settings.contains(where: { $0.name == name }) else {
        throw ModelError(
          .usage, "\(family.map { "the \($0.family.title)" } ?? "the model") takes no '\(name)'")
      }
    }
    return (parts, family)
  }

  /// How the parts work together; nil for a graph by itself, unless it has a name of its own.
  func join(_ parts: [ModelPart], _ family: FamilyModel?) -> BundleJoin? {
    let isNamed = parts.contains { $0.name != BundleContents.mainGraph }
    guard isNamed || !(family?.settings ?? [:]).isEmpty else { return nil }
    return BundleJoin(
      family: family?.family.name ?? "plain",
      parts: parts.map { part in
        BundleJoin.Part(
          graph: part.name,
          role: family?.parts.first { $0.name == part.name }?.role ?? part.name)
      },
      links: (family?.links ?? []).map { link in
        BundleJoin.Link(
          from: .init(link.from.part, link.from.port), to: .init(link.to.part, link.to.port),
          rule: link.rule)
      },
      settings: (family?.settings ?? [:]).mapValues { .array($0.map { .string($0) }) })
  }

  /// Watches every part while the samples of a folder go by.
  func observe(
    _ parts: [ModelPart], _ family: FamilyModel?, in folder: String, _ samples: Gathered,
    _ progress: ProgressObserver
  ) throws(ModelError) -> [PartObserver] {
    let observers = try parts.map { (part) throws(ModelError) in
      try PartObserver(part, self)
    }
    let byName = Dictionary(
      zip(parts.map(\.name), observers), uniquingKeysWith: { $1 })
    let nodes = Set(observers.flatMap(\.nodeNames))
    for (option, names) in [
      ("keep-float", keptFloat), ("wide", wide.subtracting([Self.everyLayer])),
    ] {
      if let unknown = names.subtracting(nodes).min() {
        throw ModelError(.usage, "--\(option): there is no node '\(unknown)' to quantize")
      }
    }
    if balance != .none {
      var seen = 0
      try PartSamples(parts, family, threads: threads).forEach(in: folder, box: box) {
        (name, sample) throws(ModelError) in
        seen += 1
        progress("surveying", seen)
        try byName[name]?.survey(sample)
      }
      for observer in observers { try observer.balance() }
    }
    if let sketch, FileManager.default.fileExists(atPath: sketch) {
      try during("reading '\(sketch)'") { () throws(ModelError) in
        let known: [String: PartSketch] = try JSON(bytes: FileAccess.read(sketch)).decoded()
        for (name, own) in known.sorted(by: { $0.key < $1.key }) {
          guard let observer = byName[name] else {
            throw ModelError(.invalidValue, "it is of another model: it has a part '\(name)'")
          }
          try observer.merge(own)
        }
      }
    }
    try PartSamples(parts, family, threads: threads).forEach(in: folder, box: box) {
      (name, sample) throws(ModelError) in
      guard let observer = byName[name] else { return }
      progress("calibrating", observer.samples + 1)
      try keep(sample, number: observer.samples, of: name, parts.count > 1)
      try observer.observe(sample)
      samples.add(name, sample)
    }
    for observer in observers { try observer.finish() }
    for (part, observer) in zip(parts, observers) where observer.samples == 0 {
      throw ModelError(.missingInput, "'\(folder)' holds no sample for part '\(part.name)'")
    }
    if let sketch {
      var known: [String: PartSketch] = [:]
      for (name, observer) in byName { known[name] = try observer.sketch() }
      try NewFile.write(JSON(encoding: known).bytes, to: sketch)
    }
    return observers
  }

  /// Writes a sample where the request wants samples kept.
  private func keep(
    _ sample: Sample, number: Int, of part: String, _ isOneOfSeveral: Bool
  ) throws(ModelError) {
    guard let keptSamples else { return }
    let folder = isOneOfSeveral ? "\(keptSamples)/\(part)" : keptSamples
    try MediaFile.makeFolder(folder)
    let arrays = sample.inputs.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }
    try NumpyArchive.write(arrays, path: "\(folder)/set_\(number).npz")
  }
}
