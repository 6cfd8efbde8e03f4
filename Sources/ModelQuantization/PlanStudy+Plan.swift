import Foundation
import ModelIR
import TensorCore

extension PlanStudy {
  /// A quantizer with the forms that keep `targets`, and the plan.
  ///
  /// - Parameters:
  ///   - quantizer: the one that the study is of.
  ///   - spare: the share of all products that may be spent on less noise where only the size has a limit.
  /// - Throws: `out-of-reach` with the nearest that can be had.
  package func plan(
    _ quantizer: Quantizer, _ calibration: borrowing Calibration, _ targets: PlanTargets,
    spare: Double
  ) throws(ModelError) -> (quantizer: Quantizer, plan: PrecisionPlan) {
    var search = PlanSearch(self, targets, spare: spare)
    var measured = try measure(search.quantizer(quantizer), calibration, targets)
    var figures = figures(targets, measured)
    // What a run takes beside what its layers add up to is made up for by asking for less.
    var within = targets.milliseconds
    for round in 0..<Self.rounds {
      let before = (forms: search.chosen, noise: search.noise)
      if let limit = targets.milliseconds, measured.milliseconds > limit {
        let share = limit / measured.milliseconds
        within = min(within ?? limit, search.milliseconds * share * (round == 0 ? 1 : 0.98))
        search.hurry(to: within ?? limit)
      }
      var allowed = before.noise.map { _ in targets.qualities.isEmpty ? 0 : Double.infinity }
      for (target, distance) in zip(targets.qualities, measured.distances) where distance > 0 {
        let most =
          before.noise[target.output] * pow(target.limit / distance, 1 / target.exponent)
        allowed[target.output] = min(allowed[target.output], most)
      }
      if !targets.qualities.isEmpty {
        _ = search.reduce(to: allowed, within: within)
        if round == 0 { search.trim(to: allowed) }
      } else if round == 0 {
        _ = search.reduce(to: allowed, within: within, least: Self.leastGain)
      }
      if search.chosen == before.forms { break }
      var expected = measured
      for (index, target) in targets.qualities.enumerated() where before.noise[target.output] > 0 {
        let share = search.noise[target.output] / before.noise[target.output]
        expected.distances[index] *= pow(share, target.exponent)
      }
      expected.bytes = search.bytes
      expected.milliseconds = search.milliseconds
      measured = try measure(search.quantizer(quantizer), calibration, targets)
      figures = self.figures(targets, measured, expected)
      if figures.allSatisfy(\.isMet) { break }
    }
    if let missed = figures.first(where: { !$0.isMet }) { throw unreachable(missed, targets) }
    return (search.quantizer(quantizer), PrecisionPlan(layers: record(search), figures: figures))
  }

  private static let rounds = 12
  /// The share of all noise for which a change is worth it where limits alone say when to stop.
  private static let leastGain = 0.01

  /// What a whole graph has.
  private struct Measured {
    /// Of each quality that is demanded.
    var distances: [Double]
    var bytes: Int
    var milliseconds: Double
  }

  private func measure(
    _ quantizer: Quantizer, _ calibration: borrowing Calibration, _ targets: PlanTargets
  ) throws(ModelError) -> Measured {
    let graph = try quantizer.quantize(calibration, ranges).graph
    let results = try results(of: graph)
    return Measured(
      distances: try targets.qualities.map { (target) throws(ModelError) in
        try distance(of: results, by: target)
      },
      bytes: try targets.bytes.map { (size) throws(ModelError) in
        try tensorBytes(of: graph) + size.reserved
      } ?? 0,
      milliseconds: try targets.milliseconds == nil ? 0 : milliseconds(of: graph))
  }

  private func figures(
    _ targets: PlanTargets, _ measured: Measured, _ expected: Measured? = nil
  ) -> [PrecisionPlan.Figure] {
    let expected = expected ?? measured
    var figures: [PrecisionPlan.Figure] = []
    for (index, target) in targets.qualities.enumerated() {
      figures.append(
        PrecisionPlan.Figure(
          name: target.name, unit: target.unit, isLeast: target.isLeast,
          demanded: target.figure(target.limit),
          predicted: target.figure(expected.distances[index]),
          achieved: target.figure(measured.distances[index])))
    }
    if let size = targets.bytes {
      figures.append(
        PrecisionPlan.Figure(
          name: "size", unit: "MB", isLeast: false, demanded: Double(size.limit) / 1e6,
          predicted: Double(expected.bytes) / 1e6, achieved: Double(measured.bytes) / 1e6))
    }
    if let limit = targets.milliseconds {
      figures.append(
        PrecisionPlan.Figure(
          name: "time", unit: "ms", isLeast: false, demanded: limit,
          predicted: expected.milliseconds, achieved: measured.milliseconds))
    }
    return figures
  }

  private func unreachable(
    _ missed: PrecisionPlan.Figure, _ targets: PlanTargets
  ) -> ModelError {
    func text(_ value: Double) -> String {
      String(format: "%.4g", value) + (missed.unit.isEmpty ? "" : " \(missed.unit)")
    }
    let limits = [
      targets.bytes.map { "\(Double($0.limit) / 1e6) MB" },
      targets.milliseconds.map { "\($0) ms" },
    ].compactMap { $0 }
    let within =
      targets.qualities.isEmpty || limits.isEmpty
      ? "" : " within \(limits.joined(separator: " and "))"
    return ModelError(
      .outOfReach,
      "\(missed.name) of \(missed.isLeast ? "at least" : "at most") \(text(missed.demanded)) is out of "
        + "reach\(within); the nearest is \(text(missed.achieved))")
  }

  private func record(_ search: PlanSearch) -> [PrecisionPlan.Layer] {
    zip(layers, search.chosen).map { layer, form in
      PrecisionPlan.Layer(
        name: layer.name,
        choices: layer.choices.map { choice in
          PrecisionPlan.Choice(
            form: choice.form, noise: (choice.noise.max() ?? 0).rounded(digits: 3),
            bytes: choice.bytes, products: choice.products,
            milliseconds: choice.milliseconds?.rounded(digits: 3))
        }, form: layer.choices[form].form)
    }
  }
}

extension Double {
  /// As many decimal digits as a figure is worth.
  fileprivate func rounded(digits: Int) -> Double {
    Double(String(format: "%.\(digits - 1)e", self)) ?? self
  }
}
