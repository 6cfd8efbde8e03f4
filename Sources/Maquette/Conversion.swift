import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import ModelOperators
import ModelPasses
import ModelQuantization
import ModelVerification
import TensorCore

/// Model files to a bundle: read, recognise, optimise, calibrate and quantize where int8 is wanted, make
/// goldens, write.
package struct Conversion: Sendable {
  package enum Precision: String, Sendable, CaseIterable {
    case float32, int8
  }

  /// Files by the name of the part that each becomes; a file of one part that is alone is `main`.
  package var models: [(part: String, file: String)]
  package var output: String
  package var precision = Precision.float32
  /// A folder of samples; int8 needs one.
  package var calibration: String?
  /// A folder that gets the samples of each part as it was calibrated with them.
  package var keptSamples: String?
  /// A file of what earlier samples showed, from which the calibration goes on, and which then has all of it.
  package var sketch: String?
  package var method = CalibrationMethod.mse
  /// How weights become integers.
  package var rounding = WeightRounding.adaptive
  /// The share by which the noise of the outputs may grow so that weights are coded shorter (`Q57`); nil for the usual one, or for 0
  /// where a plan keeps outputs near: layers would stay float for what coarser weights lose.
  package var weightNoise: Double?
  /// Where weights of layers have fewer bits than eight.
  package var grid: WeightGrid?
  /// Whether the bundle gets goldens.
  package var keepsGoldens = true
  /// How channels of an activation are brought to like ranges.
  package var balance = ChannelBalance.none
  /// A folder of samples whose inputs, and outputs where it has them, become the bundle's goldens.
  package var golden: String?
  /// Names of nodes to keep in float.
  package var keptFloat: Set<String> = []
  /// Names of layers that read 16 bits; ``everyLayer`` for all with weights.
  package var wide: Set<String> = []
  package static let everyLayer = "all"
  /// Of all products, how many layers that read 16 bits by themselves may sum a second time; a ``plan`` takes its place.
  package var wideShare = 0.02
  /// The least share of a slot that memories read (`KV6`); nil for the model's own.
  package var leastShare: Float?
  /// What is to be kept, for which layers may read 16 bits or stay float.
  package var plan = PlanDemands()
  /// Where the face is in pictures of the calibration folder.
  package var box: Box?
  /// Inputs that are the same in every run, each a file, or a number for all elements (``BoundInputs``).
  package var bindings: [(input: String, file: String)] = []
  /// What the family is told: a text file of lines by name.
  package var settings: [String: String] = [:]
  package var threads = 1
  /// Stop optimising after this many rewrites, to find a guilty one by bisection.
  package var stopAfter = Int.max

  /// Goldens made of calibration inputs where none are given.
  static let madeGoldens = 2

  package init(model: String, output: String) {
    self.init(models: [(BundleContents.mainGraph, model)], output: output)
  }

  package init(models: [(part: String, file: String)], output: String) {
    self.models = models
    self.output = output
  }

  /// The ``weightNoise`` that is asked for, or that fits the plan.
  var chosenWeightNoise: Double {
    weightNoise ?? (plan.keepsOutputsNear ? 0 : WeightNoises.usual)
  }

  /// Whether weights may be coarser than eight bits make them.
  var sharesOutNoise: Bool { chosenWeightNoise > 0 && grid == nil }

  var title: String {
    models.map { ($0.file as NSString).lastPathComponent }.joined(separator: " + ")
  }

  /// - Throws: before the output is touched, for everything but the writing itself.
  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let whole = Stopwatch()
    var seconds: [String: Double] = [:]
    progress("reading \(title)")
    var watch = Stopwatch()
    let sources = try sources()
    // The graphs of the files are gone once the last of these is known.
    let sourceBytes = sources.reduce(0) { $0 + $1.file.byteCount }
    var origins: [BundleManifest.Source] = []
    for source in sources { origins += try source.file.sources() }
    let settings = try readSettings()
    var (parts, family) = try recognised(sources, settings)
    let goldens = Dictionary(
      parts.map { ($0.name, $0.goldens) }, uniquingKeysWith: { $1 })
    let wasQuantized = parts.contains(where: \.isQuantized)
    seconds["import"] = watch.seconds

    watch = Stopwatch()
    var rewrites = 0
    let sourceNodes = parts.map { $0.sourceNodes ?? $0.graph.nodes.count }
    let adopted = parts.contains { $0.record.map { $0.method == nil } ?? false }
    for index in parts.indices where !wasQuantized {
      let part = family?.parts.first { $0.name == parts[index].name }
      var graph = parts[index].graph
      if let family, let part { graph = family.recorded(in: graph, part: part) }
      graph = try Pipeline.portable.run(on: graph, stopAfter: stopAfter) {
        (step, _) throws(ModelError) in
        rewrites += step.rewrites
        progress("optimising: \(step.pass)")
      }
      parts[index] = ModelPart(name: parts[index].name, graph: graph)
    }
    family = FamilyModel(
      parts.map { (name: $0.name, graph: $0.graph) }, settings: family?.settings ?? [:])
    try plan.check(precision, parts, family)
    var float = parts
    seconds["optimise"] = watch.seconds

    let bound = try BoundInputs(bindings, of: parts, family, box: box)
    let samples = Gathered(limit: Self.madeGoldens)
    var strays: [String] = []
    if precision == .int8, let calibration {
      watch = Stopwatch()
      let observers = try observe(float, family, in: calibration, samples, progress)
      strays = observers.compactMap(\.strays)
      seconds["calibrate"] = watch.seconds
      watch = Stopwatch()
      progress("quantizing")
      parts = try quantized(observers, family, samples) { (parts) throws(ModelError) in
        let contents = try self.contents(
          parts, float, family, origins, goldenSource: "", goldens: []
        ).contents
        return try BundleWriter().bytes(of: contents).count
      }
      seconds["quantize"] = watch.seconds
    }
    if let leastShare { parts = try SparseMemory.parts(parts, leastShare: leastShare) }

    watch = Stopwatch()
    progress("making goldens")
    var goldenSource = "calibration inputs, outputs of the float graph"
    if let golden {
      samples.restart(limit: .max)
      try PartSamples(float, family, threads: threads).forEach(in: golden, box: box) {
        samples.add($0, $1)
      }
      goldenSource =
        samples.hasOutputs ? "given" : "inputs given, outputs of the float graph"
    } else if precision == .float32 {
      for (name, own) in goldens { for sample in own { samples.add(name, sample) } }
      goldenSource = samples.isEmpty ? "none" : "the source's"
    }
    if !keepsGoldens { goldenSource = "none, as asked" }
    var stored: [StoredGolden] = []
    var agreements: [Agreement] = []
    var savings: [BoundInputs.Saving] = []
    var others = 0
    for index in parts.indices {
      if !bound.isEmpty { progress("binding inputs") }
      let (own, strange) = try bound.stripped(samples[parts[index].name], of: float[index])
      others += strange
      let saving: BoundInputs.Saving?
      (parts[index], saving) = try bound.applied(to: parts[index])
      if let saving { savings.append(saving) }
      float[index] = precision == .int8 ? try bound.applied(to: float[index]).part : parts[index]
      let judged = try judge(parts[index], against: float[index], own, family, parts.count > 1)
      if keepsGoldens { stored += judged.0 }
      agreements += judged.1
    }
    if others > 0, keepsGoldens {
      goldenSource +=
        "; of \(others) recorded with other values of what is bound, the float graph's"
    }
    seconds["verify"] = watch.seconds

    watch = Stopwatch()
    progress("writing \((output as NSString).lastPathComponent)")
    let contents: BundleContents
    (contents, parts, family) = try self.contents(
      parts, float, family, origins, goldenSource: goldenSource, goldens: stored)
    let bytes = try BundleWriter().bytes(of: contents)
    try NewFile.write(bytes, to: output)
    seconds["write"] = watch.seconds
    seconds["total"] = whole.seconds
    let outcomes = zip(parts, sourceNodes).map { part, nodes in
      PartOutcome(
        part: part.name, role: family?.parts.first { $0.name == part.name }?.role,
        sourceNodes: nodes, nodes: part.graph.nodes.count,
        int8Nodes: part.graph.nodes.count { part.graph.worksOnIntegers($0) },
        calibrationSamples: part.record?.samples ?? 0,
        weightNoise: part.record?.weightNoise,
        goldens: stored.filter { $0.graph == part.name }.count)
    }
    let nodes = outcomes.reduce(0) { $0 + $1.nodes }
    let integer = outcomes.reduce(0) { $0 + $1.int8Nodes }
    return Outcome(
      model: title, output: (output as NSString).lastPathComponent,
      precision: precision == .int8 || wasQuantized ? "int8" : "float32",
      family: family?.family.name,
      sourceBytes: sourceBytes, bundleBytes: bytes.count,
      bitsPerWeight: try BundleReader(bytes: bytes).header.bitsPerWeight,
      sourceNodes: sourceNodes.reduce(0, +), nodes: nodes, rewrites: rewrites,
      calibrationSamples: outcomes.map(\.calibrationSamples).max() ?? 0, strays: strays,
      adopted: adopted,
      int8Nodes: integer,
      floatNodes: nodes - integer, coverage: IntegerCoverage(parts), parts: outcomes,
      bound: savings,
      sparseMemories: try SparseMemory.all(in: parts),
      goldenSource: goldenSource,
      goldens: stored.count, plans: parts.compactMap(\.record?.precisionPlan),
      agreements: agreements, seconds: seconds,
      passed: agreements.allSatisfy(\.passed))
  }

  /// A bundle of parts, which gain what adapts in float32.
  private func contents(
    _ parts: [ModelPart], _ float: [ModelPart], _ family: FamilyModel?,
    _ origins: [BundleManifest.Source], goldenSource: String, goldens: [StoredGolden]
  ) throws(ModelError) -> (contents: BundleContents, parts: [ModelPart], family: FamilyModel?) {
    let parts = parts + floatForms(float, family)
    let family = FamilyModel(
      parts.map { (name: $0.name, graph: $0.graph) }, settings: family?.settings ?? [:])
    var contents = BundleContents(
      graphs: parts.map { .init($0.name, $0.graph) },
      manifest: BundleManifest(
        tool: "maquette \(ToolVersion.current)",
        profile: parts.contains(where: \.isQuantized) ? "int8" : "float",
        family: family?.family.name, sources: origins, options: options(goldenSource)),
      goldens: goldens, join: join(parts, family))
    contents.bankTensors = BankMemory.all(in: contents.graphs).flatMap { [$0.keys, $0.values] }
    for part in parts {
      guard let record = part.record else { continue }
      contents.records[BundleContents.calibrationRecord(of: part.name)] = try JSON(encoding: record)
    }
    if let declaration = try declaration(parts, family) {
      contents.records[AdaptationRecord.record] = declaration.json
    }
    return (contents, parts, family)
  }

  /// What of the request shaped the bundle.
  private func options(_ goldenSource: String) -> [String: String] {
    var options = ["goldens": goldenSource, "precision": precision.rawValue]
    if precision == .int8 {
      options["method"] = method.rawValue
      options["rounding"] = rounding.rawValue
      options["weight-noise"] = String(chosenWeightNoise)
      options["balance"] = balance.rawValue
      if let grid {
        options["weight-bits"] = String(grid.bits)
        options["weight-group"] = String(grid.group)
      }
    }
    options.merge(plan.options) { $1 }
    if precision == .int8 { options["wide-share"] = String(wideShare) }
    if !bindings.isEmpty {
      options["bound"] = bindings.map(\.input).sorted().joined(separator: " ")
    }
    if let leastShare { options["least-share"] = String(leastShare) }
    if !wide.isEmpty { options["wide"] = wide.sorted().joined(separator: " ") }
    if !keptFloat.isEmpty { options["kept-float"] = keptFloat.sorted().joined(separator: " ") }
    return options
  }

  /// Goldens of the samples with the digests of what a part makes of them, and how near that is to its
  /// float form.
  private func judge(
    _ part: ModelPart, against float: ModelPart, _ samples: [Sample], _ family: FamilyModel?,
    _ isOneOfSeveral: Bool
  ) throws(ModelError) -> ([StoredGolden], [Agreement]) {
    var goldens: [StoredGolden] = []
    var agreements: [Agreement] = []
    guard !samples.isEmpty else { return ([], []) }
    let graph = part.graph
    let options = ExecutionOptions(threads: threads)
    var runner = try Runner(graph, options)
    var reference = try Runner(float.graph, options)
    let demands = family?.demands(onPart: part.name) ?? [:]
    for sample in samples {
      let expected = try during("running '\(sample.name)'") { () throws(ModelError) in
        try reference.run(sample.inputs)
      }
      let made = try runner.run(sample.inputs)
      let stored = sample.outputs.merging(expected, uniquingKeysWith: { given, _ in given })
      func ports(_ tensors: [String: Tensor]) -> [StoredGolden.Port] {
        tensors.sorted { $0.key < $1.key }.map { StoredGolden.Port($0.key, $0.value) }
      }
      // Float results differ between CPUs in the last bits, so only integers have digests.
      let digests = graph.outputs.compactMap { port in
        graph.isQuantized
          ? made[port.name].map { StoredGolden.Expected(port.name, Digest(of: $0)) } : nil
      }
      let prefix = isOneOfSeveral && !sample.name.hasPrefix(part.name + "/") ? part.name + "/" : ""
      goldens.append(
        StoredGolden(
          name: prefix + sample.name, graph: part.name, inputs: ports(sample.inputs),
          outputs: ports(stored), digests: digests))
      guard precision == .int8 else { continue }
      for port in graph.outputs {
        guard let a = made[port.name], let b = expected[port.name] else { continue }
        let metrics = try Metrics(a, against: b)
        let judgement = try demands[port.name].map { (demand) throws(ModelError) in
          try Judgement(demand.measure, a, against: b)
        }
        agreements.append(
          Agreement(
            golden: prefix + sample.name, output: port.name, sqnrDb: metrics.signalToNoise,
            maxAbsError: metrics.maximumAbsoluteError, cosine: metrics.cosine,
            figure: judgement?.figure, demanded: judgement?.demand, value: judgement?.value,
            problem: metrics.problem, passed: judgement?.passed ?? (metrics.problem == nil)))
      }
    }
    return (goldens, agreements)
  }
}
