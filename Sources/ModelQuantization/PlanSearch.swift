import ModelIR
import TensorCore

/// Chooses a form for each layer of a study (`Q60`).
struct PlanSearch {
  private let study: PlanStudy
  private let targets: PlanTargets
  /// Of each layer, the number of its form.
  private(set) var chosen: [Int]
  /// Sums over the layers, for each output.
  private(set) var noise: [Double]
  private(set) var bytes: Int
  private(set) var milliseconds: Double
  private(set) var products: Int
  /// Products that the layers may cost together, where nothing else says when to stop.
  private let greatestProducts: Int

  /// Products that a byte of a bundle is worth where weights may have fewer bits (`Q68`).
  private static let productsOfByte = 1000

  /// Everything in its usual form.
  ///
  /// - Parameter spare: the share of all products that forms with less noise may cost where only the size has a limit.
  init(_ study: PlanStudy, _ targets: PlanTargets, spare: Double) {
    self.study = study
    self.targets = targets
    chosen = study.layers.map { _ in 0 }
    bytes = study.bytes + (targets.bytes?.reserved ?? 0)
    milliseconds = study.milliseconds ?? 0
    products = study.products
    let isBounded = targets.qualities.isEmpty && targets.milliseconds == nil
    greatestProducts =
      isBounded ? study.products + Int(Double(study.products) * spare) : .max
    noise = study.layers.reduce(into: study.layers.first?.choices[0].noise.map { _ in 0 } ?? []) {
      sums, layer in
      for index in sums.indices { sums[index] += layer.choices[0].noise[index] }
    }
  }

  private func choice(_ layer: Int) -> PlanStudy.Choice {
    study.layers[layer].choices[chosen[layer]]
  }

  /// What a change adds to the cost: milliseconds where they are measured, else products.
  private func cost(_ layer: Int, _ form: Int) -> Double {
    let (old, new) = (choice(layer), study.layers[layer].choices[form])
    if let before = old.milliseconds, let after = new.milliseconds { return after - before }
    let bytes = study.countsBytes ? Self.productsOfByte * (new.bytes - old.bytes) : 0
    return Double(new.products - old.products + bytes)
  }

  mutating func change(_ layer: Int, to form: Int) {
    let (old, new) = (choice(layer), study.layers[layer].choices[form])
    for index in noise.indices {
      noise[index] = max(noise[index] + new.noise[index] - old.noise[index], 0)
    }
    bytes += new.bytes - old.bytes
    products += new.products - old.products
    milliseconds += (new.milliseconds ?? 0) - (old.milliseconds ?? 0)
    chosen[layer] = form
  }

  /// Whether limits hold after a change.
  private func fits(_ layer: Int, _ form: Int, _ limit: Double?) -> Bool {
    let (old, new) = (choice(layer), study.layers[layer].choices[form])
    if let greatest = targets.bytes?.limit, bytes + new.bytes - old.bytes > greatest {
      return false
    }
    if products + new.products - old.products > greatestProducts { return false }
    guard let limit else { return true }
    return milliseconds + (new.milliseconds ?? 0) - (old.milliseconds ?? 0) <= limit
  }

  /// Takes off noise, most for its cost first, until no output has more than is allowed.
  ///
  /// - Parameters:
  ///   - allowed: of each output.
  ///   - milliseconds: the limit, where there is one.
  ///   - least: the share of the noise that is too much for which a change is worth it.
  /// - Returns: whether that was reached.
  mutating func reduce(
    to allowed: [Double], within milliseconds: Double?, least: Double = 0
  ) -> Bool {
    while true {
      let excess = noise.indices.filter { noise[$0] > allowed[$0] }
      guard !excess.isEmpty else { return true }
      var best: (layer: Int, form: Int, merit: Double)?
      for layer in chosen.indices {
        for form in study.layers[layer].choices.indices where form > chosen[layer] {
          let new = study.layers[layer].choices[form].noise
          let old = choice(layer).noise
          let gain = excess.reduce(0) { $0 + (old[$1] - new[$1]) / noise[$1] }
          guard gain > least, fits(layer, form, milliseconds) else { continue }
          let merit = gain / max(cost(layer, form), 1e-9)
          if merit > best?.merit ?? 0 { best = (layer, form, merit) }
        }
      }
      guard let best else { return false }
      change(best.layer, to: best.form)
    }
  }

  /// Gives back what was not needed: the cheapest form of each layer that still keeps all outputs within what is allowed.
  mutating func trim(to allowed: [Double]) {
    let order = chosen.indices.sorted { (cost($0, 0), $0) < (cost($1, 0), $1) }
    for layer in order where chosen[layer] > 0 {
      let forms = (0..<chosen[layer]).sorted { (cost(layer, $0), $0) < (cost(layer, $1), $1) }
      for form in forms where cost(layer, form) < 0 {
        let (old, new) = (choice(layer), study.layers[layer].choices[form])
        let stays = noise.indices.allSatisfy {
          noise[$0] + new.noise[$0] - old.noise[$0] <= allowed[$0]
        }
        guard stays, fits(layer, form, nil) else { continue }
        change(layer, to: form)
        break
      }
    }
  }

  /// Takes off time, least noise for it first, until a run takes no more than that.
  mutating func hurry(to limit: Double) {
    while milliseconds > limit {
      var best: (layer: Int, form: Int, merit: Double)?
      for layer in chosen.indices {
        for form in study.layers[layer].choices.indices where form != chosen[layer] {
          let saved = -cost(layer, form)
          guard saved > 0, fits(layer, form, nil) else { continue }
          let noise = zip(study.layers[layer].choices[form].noise, choice(layer).noise)
          let merit = saved / max(noise.reduce(0) { $0 + $1.0 - $1.1 }, 1e-12)
          if merit > best?.merit ?? 0 { best = (layer, form, merit) }
        }
      }
      guard let best else { return }
      change(best.layer, to: best.form)
    }
  }

  /// The layers' forms in a quantizer.
  func quantizer(_ quantizer: Quantizer) -> Quantizer {
    var made = quantizer
    for (layer, form) in zip(study.layers, chosen) {
      let form = layer.choices[form].form
      made = made.giving(layer.name, form)
      guard form == .float32 else { continue }
      made.keptFloatReasons[layer.name] = .byPlan
    }
    return made
  }
}
