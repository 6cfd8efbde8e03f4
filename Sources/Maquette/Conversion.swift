import Foundation
import MediaIO
import ModelBundle
import ModelFamilies
import ModelIR
import ModelPasses
import ModelQuantization
import ModelVerification
import TensorCore

/// A model file to a bundle: read, recognise, optimise, calibrate and quantize where int8 is wanted, make
/// goldens, write.
package struct Conversion: Sendable {
  package enum Precision: String, Sendable, CaseIterable {
    case float32, int8
  }

  package var model: String
  package var output: String
  package var precision = Precision.float32
  /// A folder of samples; int8 needs one.
  package var calibration: String?
  package var method = CalibrationMethod.mse
  /// A folder of samples whose inputs, and outputs where it has them, become the bundle's goldens.
  package var golden: String?
  /// Names of nodes to keep in float.
  package var keptFloat: Set<String> = []
  /// Where the face is in pictures of the calibration folder.
  package var box: Box?
  package var threads = 1
  /// Stop optimising after this many rewrites, to find a guilty one by bisection.
  package var stopAfter = Int.max

  /// Goldens made of calibration inputs where none are given.
  static let madeGoldens = 2

  package init(model: String, output: String) {
    self.model = model
    self.output = output
  }

  package struct Agreement: Encodable, Sendable {
    let golden: String
    let output: String
    let sqnrDb: Double
    let psnrDb: Double?
    let maxAbsError: Double
    let cosine: Double
    /// What the family demands, where it does.
    let demandedPsnrDb: Double?
    let passed: Bool
  }

  package struct Outcome: Report {
    let model: String
    let output: String
    let precision: String
    let family: String?
    let sourceBytes: Int
    let bundleBytes: Int
    let sourceNodes: Int
    let nodes: Int
    let rewrites: Int
    let calibrationSamples: Int
    /// The file was quantized already, and its scales and zero points are kept.
    let adopted: Bool
    let int8Nodes: Int
    let floatNodes: Int
    /// How goldens came about: given, or computed by the float graph.
    let goldenSource: String
    let goldens: Int
    /// The bundle's outputs against the float graph's.
    let agreements: [Agreement]
    let seconds: [String: Double]
    package let passed: Bool

    package var text: String {
      let ratio = Double(bundleBytes) / Double(max(sourceBytes, 1))
      var lines = [
        "\(model) → \(output) (\(precision))",
        "  family      \(family ?? "none that Maquette knows")",
        "  nodes       \(sourceNodes) → \(nodes) by \(rewrites) rewrites",
        "  size        \(Figure.bytes(sourceBytes)) → \(Figure.bytes(bundleBytes)) "
          + String(format: "(%.3f of the source)", ratio),
      ]
      if precision == Precision.int8.rawValue {
        lines.append(
          adopted
            ? "  quantized   by the file: its scales and zero points are kept"
            : "  calibrated  \(calibrationSamples) samples")
        lines.append(
          "  on int8     \(int8Nodes) nodes; \(floatNodes) stay float (inspect says why)")
      }
      lines.append("  goldens     \(goldens) (\(goldenSource))")
      for item in agreements {
        let figure =
          item.psnrDb.map { "PSNR " + Figure.decibels($0) }
          ?? "SQNR " + Figure.decibels(item.sqnrDb)
        let demand = item.demandedPsnrDb.map {
          String(format: " (at least %.0f dB demanded: ", $0) + (item.passed ? "met)" : "MISSED)")
        }
        lines.append(
          "  agreement   \(item.output) of \(item.golden): \(figure)\(demand ?? ""), "
            + "max error \(Figure.error(item.maxAbsError))")
      }
      let total = seconds["total"] ?? 0
      let steps = ["import", "optimise", "calibrate", "quantize", "verify", "write"].compactMap {
        step in
        seconds[step].map { "\(step) \(String(format: "%.2f", $0))" }
      }
      lines.append(
        "  time        \(String(format: "%.2f", total)) s: " + steps.joined(separator: ", "))
      return lines.joined(separator: "\n")
    }
  }

  /// - Throws: before the output is touched, for everything but the writing itself.
  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let whole = Stopwatch()
    var seconds: [String: Double] = [:]
    progress("reading \((model as NSString).lastPathComponent)")
    var watch = Stopwatch()
    let source = try ModelFile(model)
    if precision == .int8 {
      guard calibration != nil else {
        throw ModelError(.usage, "int8 needs samples to calibrate with: give --calibration DIR")
      }
      guard !source.isQuantized else {
        throw ModelError(
          .unsupportedFeature, "'\(model)' is quantized already; convert the float model")
      }
    }
    seconds["import"] = watch.seconds

    watch = Stopwatch()
    var rewrites = 0
    var graph = source.family?.recorded(in: source.graph) ?? source.graph
    if !source.isQuantized {
      graph = try Pipeline.portable.run(on: graph, stopAfter: stopAfter) {
        (step, _) throws(ModelError) in
        rewrites += step.rewrites
        progress("optimising: \(step.pass)")
      }
    }
    let float = graph
    seconds["optimise"] = watch.seconds

    var record: QuantizationRecord? = source.record
    var samples: [Sample] = []
    if precision == .int8, let calibration {
      watch = Stopwatch()
      let folder = try SampleFolder(calibration)
      let prepared = try Quantizer.prepared(float)
      var observed = Calibration(prepared, threads: threads)
      try folder.forEach(float, source.family, box: box) { (sample) throws(ModelError) in
        progress("calibrating", observed.samples + 1)
        let inputs = try during("calibrating with '\(sample.name)'") { () throws(ModelError) in
          try prepared.ordered(sample.inputs)
        }
        try observed.observe(inputs)
        if samples.count < Self.madeGoldens { samples.append(sample) }
      }
      seconds["calibrate"] = watch.seconds
      watch = Stopwatch()
      progress("quantizing")
      var quantizer = Quantizer(method: method, keptFloat: keptFloat)
      if let family = source.family {
        for node in prepared.nodes {
          guard let reason = family.reasonToStayFloat(node, in: prepared) else { continue }
          quantizer.keptFloat.insert(node.name)
          quantizer.keptFloatReasons[node.name] = reason
        }
      }
      let quantized = try quantizer.quantize(observed)
      graph = quantized.graph
      record = quantized.record
      seconds["quantize"] = watch.seconds
    }

    watch = Stopwatch()
    progress("making goldens")
    var goldenSource = "calibration inputs, outputs of the float graph"
    if let golden {
      samples = try SampleFolder(golden).samples(float, source.family, box: box)
      goldenSource =
        samples.allSatisfy { $0.outputs.isEmpty }
        ? "inputs given, outputs of the float graph" : "given"
    } else if precision == .float32 {
      samples = source.goldens
      goldenSource = samples.isEmpty ? "none" : "the source's"
    }
    let (goldens, agreements) = try judge(
      graph, against: float, samples, source.family)
    seconds["verify"] = watch.seconds

    watch = Stopwatch()
    progress("writing \((output as NSString).lastPathComponent)")
    let contents = BundleContents(
      graph,
      manifest: BundleManifest(
        tool: "maquette \(ToolVersion.current)", profile: graph.isQuantized ? "int8" : "float",
        family: source.family?.family.name, sources: try source.sources(),
        options: options(goldenSource)),
      records: try record.map { (record) throws(ModelError) in
        [BundleContents.calibrationRecord: try JSON(encoding: record)]
      } ?? [:], goldens: goldens)
    let bytes = try BundleWriter().bytes(of: contents)
    try FileAccess.replace(output, with: bytes)
    let byteCount = bytes.count
    seconds["write"] = watch.seconds
    seconds["total"] = whole.seconds
    let integer = graph.nodes.filter { node in
      node.outputs.contains { graph.type($0).quantization != nil }
    }.count
    return Outcome(
      model: (model as NSString).lastPathComponent, output: (output as NSString).lastPathComponent,
      precision: precision == .int8 || source.isQuantized ? "int8" : "float32",
      family: source.family?.family.name, sourceBytes: source.byteCount, bundleBytes: byteCount,
      sourceNodes: source.sourceNodes, nodes: graph.nodes.count, rewrites: rewrites,
      calibrationSamples: record?.samples ?? 0, adopted: record.map { $0.method == nil } ?? false,
      int8Nodes: integer,
      floatNodes: graph.nodes.count - integer, goldenSource: goldenSource, goldens: goldens.count,
      agreements: agreements, seconds: seconds, passed: agreements.allSatisfy(\.passed))
  }

  /// What of the request shaped the bundle.
  private func options(_ goldenSource: String) -> [String: String] {
    var options = ["goldens": goldenSource, "precision": precision.rawValue]
    if precision == .int8 { options["method"] = method.rawValue }
    if !keptFloat.isEmpty { options["kept-float"] = keptFloat.sorted().joined(separator: " ") }
    return options
  }

  /// Goldens of the samples with the digests of what `graph` makes of them, and how near that is to the
  /// float graph.
  private func judge(
    _ graph: Graph, against float: Graph, _ samples: [Sample], _ family: FamilyModel?
  ) throws(ModelError) -> ([StoredGolden], [Agreement]) {
    var goldens: [StoredGolden] = []
    var agreements: [Agreement] = []
    guard !samples.isEmpty else { return ([], []) }
    let options = ExecutionOptions(threads: threads)
    var runner = try Runner(graph, options)
    var reference = try Runner(float, options)
    let demands = Dictionary(
      (family?.agreements ?? []).map { ($0.output, $0) }, uniquingKeysWith: { $1 })
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
      goldens.append(
        StoredGolden(
          name: sample.name, inputs: ports(sample.inputs), outputs: ports(stored),
          digests: digests))
      guard precision == .int8 else { continue }
      for port in graph.outputs {
        guard let a = made[port.name], let b = expected[port.name] else { continue }
        let metrics = try Metrics(a, against: b)
        let demand = demands[port.name]
        let psnr = demand.map { metrics.peakSignalToNoise(range: $0.range) }
        agreements.append(
          Agreement(
            golden: sample.name, output: port.name, sqnrDb: metrics.signalToNoise, psnrDb: psnr,
            maxAbsError: metrics.maximumAbsoluteError, cosine: metrics.cosine,
            demandedPsnrDb: demand?.decibels,
            passed: demand.map { (psnr ?? 0) >= $0.decibels } ?? true))
      }
    }
    return (goldens, agreements)
  }
}
