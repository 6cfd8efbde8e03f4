import ModelBundle
import ModelFamilies
import ModelIR
import ModelQuantization
import ModelVerification
import TensorCore

/// What a conversion to int8 is to keep, for which layers may read 16 bits or stay float (`Q60`).
package struct PlanDemands: Sendable {
  /// The least signal-to-noise ratio of any output, in dB.
  package var leastRatio: Double?
  /// The least peak signal-to-noise ratio, in dB: of the outputs for which the family has a range, else of all.
  package var leastPeakRatio: Double?
  /// What the bundle may take without its goldens.
  package var greatestMegabytes: Double?
  /// What a run on the first sample may take on one thread of this computer.
  package var greatestMilliseconds: Double?
  /// Whether outputs have to be as near as their family demands.
  package var asFamilyDemands = false

  package init() {}

  package var isEmpty: Bool { options.isEmpty }

  /// Whether outputs have to be near the float graph's.
  var keepsOutputsNear: Bool { leastRatio != nil || leastPeakRatio != nil || asFamilyDemands }

  /// Each demand by the name of its option.
  var options: [String: String] {
    var options: [String: String] = [:]
    for (name, value, _, _) in numbers { if let value { options[name] = String(value) } }
    if asFamilyDemands { options["as-family-demands"] = "yes" }
    return options
  }

  private var numbers: [(name: String, value: Double?, greatest: Double, unit: String)] {
    [
      ("min-sqnr", leastRatio, 200, "dB"), ("min-psnr", leastPeakRatio, 200, "dB"),
      ("max-mb", greatestMegabytes, 1e4, "MB"), ("max-ms", greatestMilliseconds, 1e7, "ms"),
    ]
  }

  /// - Throws: `usage` for numbers that nothing can keep, and demands that this conversion cannot have.
  func check(
    _ precision: Conversion.Precision, _ parts: [ModelPart], _ family: FamilyModel?
  ) throws(ModelError) {
    for (name, value, greatest, unit) in numbers {
      guard let value else { continue }
      guard value > 0, value <= greatest else {
        throw ModelError(
          .usage, "--\(name) \(value): above 0 and at most \(greatest) \(unit) can be asked for")
      }
    }
    guard !isEmpty else { return }
    let names = options.keys.sorted().map { "--\($0)" }.joined(separator: ", ")
    guard precision == .int8 else {
      throw ModelError(.usage, "\(names): a plan is of int8 bundles; float32 has nothing to choose")
    }
    guard greatestMilliseconds == nil || parts.count == 1 else {
      throw ModelError(
        .usage,
        "--max-ms: parts run as often as media have it, so \(parts.count) of them have no one time")
    }
    guard
      !asFamilyDemands
        || parts.contains(where: { !(family?.agreements(onPart: $0.name) ?? []).isEmpty })
    else {
      throw ModelError(
        .usage,
        "--as-family-demands: "
          + (family.map { "the \($0.family.title) demands nothing of these outputs" }
            ?? "the model is of no family that Maquette knows"))
    }
  }

  /// What a part has to keep.
  ///
  /// - Parameter size: the part's share of the bundle's, where that has a limit.
  func targets(_ part: ModelPart, _ family: FamilyModel?, size: PlanSize?) -> PlanTargets {
    var targets = PlanTargets()
    targets.bytes = size
    targets.milliseconds = greatestMilliseconds
    let agreements = family?.agreements(onPart: part.name) ?? []
    let outputs = part.graph.outputs.enumerated().filter {
      part.graph.type($1.value).element == .float32
    }
    if let leastRatio {
      targets.qualities += outputs.map {
        .signalToNoise(of: $1.name, output: $0, atLeast: leastRatio)
      }
    }
    if let leastPeakRatio {
      var ranges: [String: Double] = [:]
      for agreement in agreements {
        if case .peakRatio(let range, _) = agreement.measure { ranges[agreement.output] = range }
      }
      targets.qualities += outputs.filter { ranges.isEmpty || ranges[$1.name] != nil }.map {
        .peakRatio(of: $1.name, output: $0, range: ranges[$1.name], atLeast: leastPeakRatio)
      }
    }
    if asFamilyDemands {
      for agreement in agreements {
        guard let output = outputs.first(where: { $0.1.name == agreement.output }) else { continue }
        targets.qualities.append(.demanded(agreement, output: output.0))
      }
    }
    return targets
  }
}

extension QualityTarget {
  /// What a family demands of an output.
  fileprivate static func demanded(
    _ agreement: ModelFamily.Agreement, output: Int
  ) -> QualityTarget {
    func share(
      _ measure: String, _ exponent: Double, _ bound: Double
    ) -> QualityTarget {
      QualityTarget(
        name: "\(measure) of \(agreement.output)", unit: "", isLeast: true, output: output,
        exponent: exponent, limit: 1 - bound,
        distance: { (made, expected) throws(ModelError) in
          let judgement = try Judgement(agreement.measure, made, against: expected)
          return judgement.problem == nil ? 1 - judgement.value : .infinity
        }, figure: { 1 - $0 })
    }
    func error(_ measure: String, _ exponent: Double, _ bound: Double) -> QualityTarget {
      QualityTarget(
        name: "\(measure) of \(agreement.output)", unit: "", isLeast: false, output: output,
        exponent: exponent, limit: bound,
        distance: { (made, expected) throws(ModelError) in
          let judgement = try Judgement(agreement.measure, made, against: expected)
          return judgement.problem == nil ? judgement.value : .infinity
        }, figure: { $0 })
    }
    return switch agreement.measure {
    case .peakRatio(let range, let bound):
      .peakRatio(of: agreement.output, output: output, range: range, atLeast: bound)
    case .topAgreement(let bound): share("first place", 0.5, bound)
    case .cosine(let bound): share("cosine", 1, bound)
    case .divergence(let bound): error("KL", 1, bound)
    case .meanError(let bound): error("mean error", 0.5, bound)
    }
  }
}
