import Foundation
import ModelBundle
import ModelIR
import ModelKernels
import ModelRuntime
import TensorCore

/// How fast a model runs: the minimum and the median of many runs on made-up inputs, or on all samples
/// of a folder.
package struct Benchmark: Report {
  package struct OperatorTime: Encodable, Sendable {
    let op: String
    let nodes: Int
    let ms: Double
    let share: Double
    let gmacPerS: Double
    let gbPerS: Double
  }

  package struct NodeTime: Encodable, Sendable {
    let name: String
    let op: String
    let ms: Double
    let macs: Int
    /// Read and written, weights too.
    let bytes: Int
    /// The type of the first operand.
    let element: String
    /// The share of the time that it takes at the least, where that is known.
    let floorShare: Double?
  }

  let file: String
  let precision: String
  let threads: Int
  let tier: String
  let batch: Int
  let runs: Int
  /// Samples of one run.
  let samples: Int
  let medianMs: Double
  let minMs: Double
  /// Reading the file and planning it.
  let loadMs: Double
  /// The first run, which packs what is packed lazily.
  let firstMs: Double
  let peakRssMb: Double
  /// Memory that the process holds after the runs, less what it held before it read the file.
  let heldMb: Double
  let arenaMb: Double
  /// The greatest sum of what lives at once: no arena is smaller.
  let liveMb: Double
  let gmacs: Double
  let operators: [OperatorTime]?
  let nodes: [NodeTime]?

  /// - Parameters:
  ///   - name: the part that is timed, where there are several.
  ///   - batch: what every open extent of the inputs is set to.
  ///   - samples: a folder whose samples, all of them, are one run; nil for made-up inputs.
  ///   - runs: timed runs after three that are not.
  ///   - floors: what the steps' times are shares of.
  package init(
    _ path: String, part name: String? = nil, batch: Int, runs: Int, perOperator: Bool,
    samples folder: String? = nil, floors: BenchmarkFloors = BenchmarkFloors(),
    options: ExecutionOptions,
    progress: ProgressObserver = .silent
  ) throws(ModelError) {
    guard (1...100_000).contains(runs), (1...4096).contains(batch) else {
      throw ModelError(.usage, "runs must be 1 to 100000 and batch 1 to 4096")
    }
    let before = Benchmark.residentMegabytes("VmRSS")
    let load = Stopwatch()
    let file = try ModelFile(path, goldens: false, isLate: true)
    let part = try file.part(name)
    let all: [[Tensor]]
    if let folder {
      all = try SampleFolder(folder).samples(SamplePorts(part.graph)).map {
        (sample) throws(ModelError) in try part.graph.ordered(sample.inputs)
      }
    } else {
      all = [try Benchmark.inputs(part.graph, batch: batch)]
    }
    guard let inputs = all.first else {
      throw ModelError(.missingInput, "'\(folder ?? "")' has no sample to time")
    }
    var runner = try Runner(part.graph, options)
    let plan = try runner.plan(inputs)
    loadMs = load.seconds * 1000
    var times: [Double] = []
    var first = 0.0
    for run in -3..<runs {
      let watch = Stopwatch()
      for inputs in all { _ = try runner.run(inputs) }
      if run == -3 { first = watch.seconds * 1000 }
      if run >= 0 {
        times.append(watch.seconds * 1000)
        progress("timing", run + 1, of: runs)
      }
    }
    times.sort()
    self.file = (path as NSString).lastPathComponent
    precision = part.precision
    threads = options.threads
    tier = try options.planOptions().tier.name
    self.batch = batch
    self.runs = runs
    samples = all.count
    medianMs = times[times.count / 2]
    minMs = times[0]
    firstMs = first
    peakRssMb = Benchmark.residentMegabytes("VmHWM")
    heldMb = Benchmark.residentMegabytes("VmRSS") - before
    arenaMb = Double(plan?.arenaByteCount ?? 0) / 1e6
    liveMb = Double(plan?.liveByteCount ?? 0) / 1e6
    gmacs = Double(plan?.multiplyAccumulates ?? 0) / 1e9
    guard perOperator else {
      operators = nil
      nodes = nil
      return
    }
    var best: [StepTime] = []
    for _ in 0..<max(3, min(runs, 10)) {
      best = best.fastest(with: try runner.profile(inputs))
    }
    let total = best.reduce(0) { $0 + $1.seconds }
    let groups = Dictionary(grouping: best, by: \.operatorName)
    operators = groups.map { name, steps in
      let seconds = steps.reduce(0) { $0 + $1.seconds }
      let macs = steps.reduce(0) { $0 + $1.multiplyAccumulates }
      let bytes = steps.reduce(0) { $0 + $1.traffic.byteCount }
      return OperatorTime(
        op: name, nodes: steps.count, ms: seconds * 1000, share: total > 0 ? seconds / total : 0,
        gmacPerS: seconds > 0 ? Double(macs) / seconds / 1e9 : 0,
        gbPerS: seconds > 0 ? Double(bytes) / seconds / 1e9 : 0)
    }.sorted { ($0.ms, $1.op) > ($1.ms, $0.op) }
    nodes = best.map {
      NodeTime(
        name: $0.name, op: $0.operatorName, ms: $0.seconds * 1000, macs: $0.multiplyAccumulates,
        bytes: $0.traffic.byteCount, element: "\($0.traffic.element)",
        floorShare: floors.share(
          ms: $0.seconds * 1000, macs: $0.multiplyAccumulates, bytes: $0.traffic.byteCount,
          element: "\($0.traffic.element)"))
    }
  }

  /// Inputs with a fixed pattern in [-1, 1), the same in every run.
  static func inputs(_ graph: Graph, batch: Int) throws(ModelError) -> [Tensor] {
    var numbers = RepeatableNumbers(seed: 0)
    var tensors: [Tensor] = []
    for port in graph.inputs {
      let type = graph.type(port.value)
      guard let dimensions = type.dimensions else {
        throw ModelError(.unknownShape, "the rank of input '\(port.name)' is not known")
      }
      let shape = try Shape(dimensions.map { $0.value ?? batch })
      let values = (0..<shape.count).map { _ in 2 * numbers.fraction() - 1 }
      tensors.append(Tensor(type.element, shape, doubles: values))
    }
    return tensors
  }

  /// A field of the process's status that holds kilobytes; 0 where the system has none.
  private static func residentMegabytes(_ field: String) -> Double {
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("\(field):") }),
      let kilobytes = line.split(separator: " ").compactMap({ Double($0) }).first
    else { return 0 }
    return kilobytes * 1024 / 1e6
  }

  /// The page of a benchmark that looked at operators, written to `path`.
  package func writePage(to path: String) throws(ModelError) {
    guard let page = BenchmarkPage(self) else {
      throw ModelError(.usage, "a page shows operators: give --per-operator")
    }
    try NewFile.write(Array(page.text.utf8), to: path)
  }

  /// What is told of the whole.
  var head: [String] {
    [
      "\(file): \(precision), \(threads) thread\(threads == 1 ? "" : "s"), tier \(tier), "
        + (samples > 1 ? "\(samples) samples a run" : "batch \(batch)"),
      "  median \(Figure.milliseconds(medianMs)), minimum \(Figure.milliseconds(minMs)) of \(runs) runs"
        + (gmacs > 0
          ? String(format: ", %.2f GMAC (%.1f GMAC/s)", gmacs, gmacs / minMs * 1000) : ""),
      "  loaded in \(Figure.milliseconds(loadMs)), first run \(Figure.milliseconds(firstMs)); arena \(String(format: "%.1f", arenaMb)) MB"
        + (liveMb > 0 ? String(format: " (%.2f × what lives at once)", arenaMb / liveMb) : "")
        + ", peak memory \(String(format: "%.1f", peakRssMb)) MB",
    ]
  }

  package var text: String {
    var lines = head
    if let operators {
      var table = TextTable(
        ["operator", "nodes", "time", "share", "GMAC/s", "GB/s"], numeric: [1, 2, 3, 4, 5])
      for item in operators {
        table.add([
          item.op, "\(item.nodes)", Figure.milliseconds(item.ms),
          String(format: "%.1f %%", item.share * 100), String(format: "%.1f", item.gmacPerS),
          String(format: "%.1f", item.gbPerS),
        ])
      }
      lines += table.lines
    }
    return lines.joined(separator: "\n")
  }
}
