import Foundation
import ModelBundle
import ModelFamilies
import ModelIR
import ModelKernels
import ModelRuntime
import ModelVerification
import TensorCore

/// A model against goldens: those of a folder, or its bundle's own.
package struct Verification: Sendable {
  package var model: String
  /// A folder of samples with outputs; nil for the bundle's own goldens.
  package var golden: String?
  package var absolute: Double?
  package var relative: Double?
  /// SQNR in decibels that every output has to reach, in place of a tolerance.
  package var signalToNoise: Double?
  /// Demands the same bytes: the recorded digests of a bundle's own goldens, the given outputs of a
  /// folder's.
  package var exact = false
  /// Outputs that are inputs of the next sample, in place of the values that the samples have for them.
  package var carried: [CarriedState] = []
  /// The part that is meant; nil for all of them.
  package var part: String?
  /// The bank that the memories read; the one in use where that is not said.
  package var bank: String?
  package var options = ExecutionOptions()

  /// For float models where nothing else is asked for.
  static let tolerance = Tolerance(absolute: 1e-4, relative: 1e-4)
  /// For int8 models of no family where nothing else is asked for.
  static let int8SignalToNoise = 20.0

  package init(model: String) { self.model = model }

  package struct Check: Encodable, Sendable {
    let golden: String
    let output: String
    let passed: Bool
    /// What was demanded.
    let criterion: String
    let maxAbsError: Double?
    let meanAbsError: Double?
    let relativeError: Double?
    let sqnrDb: Double?
    /// What the family measures, where it does.
    let figure: String?
    let value: Double?
    let cosine: Double?
    /// SHA-256 of the output's type and bytes.
    let digest: String?
    let problem: String?
  }

  package struct Outcome: Report {
    let model: String
    let precision: String
    let goldens: String
    let tier: String
    let threads: Int
    let checks: [Check]
    let seconds: Double
    package let passed: Bool

    /// The digest of each output, by golden and output.
    package var digests: [String: String] {
      Dictionary(
        checks.compactMap { check in
          check.digest.map { ("\(check.golden) \(check.output)", $0) }
        }, uniquingKeysWith: { $1 })
    }

    package var text: String {
      let lines = [
        "\(model) (\(precision)) against \(goldens), tier \(tier), "
          + "\(threads) thread\(threads == 1 ? "" : "s"): \(passed ? "passed" : "FAILED")"
      ]
      var table = TextTable(
        ["golden", "output", "", "demanded", "max error", "SQNR", "measured", "digest"],
        numeric: [4, 5, 6])
      for check in checks {
        table.add([
          check.golden, check.output, check.passed ? "passed" : "FAILED",
          check.criterion + (check.problem.map { ": \($0)" } ?? ""),
          check.maxAbsError.map(Figure.error) ?? "", check.sqnrDb.map(Figure.decibels) ?? "",
          check.figure ?? "", check.digest.map { String($0.prefix(12)) } ?? "",
        ])
      }
      return (lines + table.lines).joined(separator: "\n")
    }
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let watch = Stopwatch()
    let file = try ModelFile(model, bank: bank)
    let goldens = try goldens(file)
    var checks: [Check] = []
    // Samples of a folder for several parts may leave out what one part gives another.
    let holdsAll = golden == nil || file.parts.count == 1
    guard !exact || !options.reference else {
      throw ModelError(
        .usage, "--exact is of the planned operators; the reference may differ in the last bits")
    }
    for part in try file.parts(part) {
      let demands = file.demands(on: part)
      let samples = goldens[part.name]
      var runner = try Runner(part.graph, options)
      try CarriedState.check(carried, part.graph)
      var state: [String: Tensor] = [:]
      for (index, sample) in samples.enumerated() {
        progress("verifying", index + 1, of: samples.count)
        let made = try during("running golden '\(sample.name)'") { () throws(ModelError) in
          try runner.run(sample.inputs.merging(state) { $1 })
        }
        for item in carried { state[item.input] = made[item.output] }
        for port in part.graph.outputs {
          guard let actual = made[port.name] else { continue }
          guard sample.outputs[port.name] != nil || sample.digests[port.name] != nil else {
            if holdsAll, !sample.outputs.isEmpty {
              checks.append(
                Check(
                  golden: sample.name, output: port.name, passed: false, criterion: "a golden",
                  maxAbsError: nil, meanAbsError: nil, relativeError: nil, sqnrDb: nil,
                  figure: nil, value: nil, cosine: nil, digest: Digest(of: actual).description,
                  problem: "there is none"))
            }
            continue
          }
          checks.append(check(actual, port.name, sample, file, demands[port.name]))
        }
      }
    }
    guard !checks.isEmpty else {
      throw ModelError(.missingInput, "the goldens hold no output to compare with")
    }
    return Outcome(
      model: (model as NSString).lastPathComponent, precision: file.precision,
      goldens: golden.map { ($0 as NSString).lastPathComponent } ?? "its own goldens",
      tier: options.reference ? "reference" : try options.planOptions().tier.name,
      threads: options.threads, checks: checks, seconds: watch.seconds,
      passed: checks.allSatisfy(\.passed))
  }

  /// By the part that they are for.
  private func goldens(_ file: ModelFile) throws(ModelError) -> Gathered {
    let gathered = Gathered(limit: .max)
    guard let golden else {
      for part in file.parts { for sample in part.goldens { gathered.add(part.name, sample) } }
      guard !gathered.isEmpty else {
        throw ModelError(
          .missingInput, "'\(model)' has no goldens of its own; give --golden DIR")
      }
      return gathered
    }
    if file.parts.count == 1 {
      for sample in try SampleFolder(golden).samples(SamplePorts(file.parts[0].graph)) {
        gathered.add(file.parts[0].name, sample)
      }
      return gathered
    }
    try PartSamples(file.parts, file.family, threads: options.threads)
      .forEach(in: golden, box: nil) { gathered.add($0, $1) }
    return gathered
  }

  private func check(
    _ actual: Tensor, _ output: String, _ golden: Sample, _ file: ModelFile,
    _ demand: ModelFamily.Agreement?
  ) -> Check {
    let digest = Digest(of: actual).description
    let expected = golden.outputs[output]
    let metrics = expected.flatMap { try? Metrics(actual, against: $0) }
    let judgement = demand.flatMap { demand in
      expected.flatMap { try? Judgement(demand.measure, actual, against: $0) }
    }
    var (passed, criterion, problem): (Bool, String, String?) = (true, "", nil)
    if exact {
      criterion = "the same bytes"
      let wanted = golden.digests[output] ?? expected.map { Digest(of: $0).description }
      passed = wanted == digest
      if !passed { problem = "\(wanted?.prefix(12) ?? "nothing") recorded" }
    } else if let expected {
      let tolerance = tolerance(file)
      let sqnr = signalToNoise ?? (tolerance == nil && demand == nil ? defaultRatio(file) : nil)
      let (wanted, made) = (expected.type.logical, actual.type.logical)
      if expected.shape != actual.shape || wanted.element != made.element {
        (passed, criterion) = (false, "\(wanted)")
        problem = "\(made)"
      } else if let tolerance, signalToNoise == nil {
        criterion =
          "|a − b| ≤ \(Figure.error(tolerance.absolute)) + \(Figure.error(tolerance.relative))·|b|"
        let comparison = Comparison(output, actual, against: expected, within: tolerance)
        passed = comparison.passed
        problem = comparison.problem
        if comparison.outside > 0 { problem = "\(comparison.outside) of \(actual.count) outside" }
      } else if let sqnr {
        criterion = "SQNR ≥ \(Figure.decibels(sqnr))"
        passed = (metrics?.signalToNoise ?? -.infinity) >= sqnr
      } else if let demand {
        criterion = judgement?.demand ?? "\(demand.measure)"
        passed = judgement?.passed ?? false
      } else {
        criterion = "reported only"
      }
      // The figures leave out what is not finite.
      if let strange = metrics?.problem {
        passed = false
        problem = problem ?? strange
      }
    }
    return Check(
      golden: golden.name, output: output, passed: passed, criterion: criterion,
      maxAbsError: metrics?.maximumAbsoluteError, meanAbsError: metrics?.meanAbsoluteError,
      relativeError: metrics?.maximumRelativeError, sqnrDb: metrics?.signalToNoise,
      figure: judgement?.figure, value: judgement?.value, cosine: metrics?.cosine, digest: digest,
      problem: problem)
  }

  /// The elementwise tolerance that holds; nil where int8 is judged by ratios.
  private func tolerance(_ file: ModelFile) -> Tolerance? {
    if absolute != nil || relative != nil {
      return Tolerance(
        absolute: absolute ?? Self.tolerance.absolute,
        relative: relative ?? Self.tolerance.relative)
    }
    return file.isQuantized ? nil : Self.tolerance
  }

  /// For outputs of int8 models that no family judges.
  private func defaultRatio(_ file: ModelFile) -> Double? {
    file.family == nil ? Self.int8SignalToNoise : nil
  }
}
