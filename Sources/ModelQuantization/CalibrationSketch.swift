import ModelIR
import TensorCore

/// What a calibration remembers of its samples (`Q66`): as large after ten thousand as after one. Sketches of one graph
/// add up, in any order.
package struct CalibrationSketch: Sendable, Codable {
  /// What is remembered of one value.
  struct Value: Sendable, Codable {
    let name: String
    let observer: RangeObserver
    let means: ChannelMeans?
  }

  let samples: Int
  let values: [Value]
  /// Products that each node summed.
  let work: [Int?]
  /// Of layers, by their names; nil where nothing was to be rounded adaptively.
  let moments: [String: OperandMoments]?
}

extension Calibration {
  /// What was observed so far.
  package var sketch: CalibrationSketch {
    CalibrationSketch(
      samples: samples,
      values: seen.observers.sorted { $0.key < $1.key }.map { index, observer in
        CalibrationSketch.Value(
          name: graph[ValueID(index: index)].name, observer: observer, means: seen.means[index])
      }, work: seen.work, moments: layers.watchesOperands ? seen.moments : nil)
  }

  /// Takes in what another calibration of the graph observed.
  ///
  /// - Throws: `invalid-value` for a sketch of another graph, and for one without what this calibration watches.
  package mutating func merge(_ sketch: CalibrationSketch) throws(ModelError) {
    var known: [String: Int] = [:]
    for index in graph.values.indices { known[graph[graph.id(at: index)].name] = index }
    let places = sketch.values.map { known[$0.name] }
    guard sketch.samples >= 0, sketch.work.map({ $0 == nil }) == seen.work.map({ $0 == nil }),
      !places.contains(nil)
    else { throw ModelError(.invalidValue, "Q66: the sketch is of another model") }
    var own = Observations(graph)
    for (place, value) in zip(places, sketch.values) {
      guard let place, value.observer.isSound, value.means?.isSound ?? true else {
        throw damaged(value.name)
      }
      own.observers[place] = value.observer
      own.means[place] = value.means
    }
    if layers.watchesOperands {
      guard let moments = sketch.moments else {
        throw ModelError(
          .invalidValue,
          "Q66: the sketch is without what adaptive rounding needs; calibrate anew, or round in another way"
        )
      }
      for (name, moments) in moments {
        guard moments.isSound(weights: layers.momentWeights(of: name)) else { throw damaged(name) }
      }
      own.moments = moments
    }
    own.samples = sketch.samples
    own.work = sketch.work
    merge([own])
  }

  private func damaged(_ name: String) -> ModelError {
    ModelError(.invalidValue, "Q66: what the sketch holds of '\(name)' is damaged")
  }
}

extension RangeObserver {
  /// Adds what another observer saw.
  mutating func merge(_ other: RangeObserver) {
    guard samples > 0 else {
      self = other
      return
    }
    guard other.samples > 0 else { return }
    sums.add(other.sums)
    samples += other.samples
    count += other.count
    notFinite += other.notFinite
    if let own = extremes, let others = other.extremes {
      extremes = Extremes(
        lower: min(own.lower, others.lower), upper: max(own.upper, others.upper))
    } else {
      extremes = extremes ?? other.extremes
    }
    var coarser = other
    widen(toExponent: coarser.exponent)
    coarser.widen(toExponent: exponent)
    for index in bins.indices { bins[index] += coarser.bins[index] }
  }

  /// Whether what was decoded can have been observed.
  var isSound: Bool {
    bins.count == 2 * RangeObserver.half && (-40...100).contains(exponent)
      && bins.allSatisfy { (0...count).contains($0) } && samples >= 0 && notFinite >= 0
      && (count > 0) == (extremes != nil) && (count > 0) == (sums.samples > 0) && sums.isSound
      && sums.samples <= samples && count < 1 << 56 && samples < 1 << 56
      && extremes.map { $0.lower.isFinite && $0.upper.isFinite && $0.lower <= $0.upper } ?? true
  }
}

extension ChannelMeans: Codable {
  private enum CodingKeys: String, CodingKey { case sums, counts, shape }

  init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let sums = try values.decode([String].self, forKey: .sums).map { text in
      guard let number = Int128(text) else {
        throw DecodingError.dataCorruptedError(
          forKey: .sums, in: values, debugDescription: "'\(text)' is no whole number")
      }
      return number
    }
    self.init(
      sums: sums, counts: try values.decode([Int].self, forKey: .counts),
      shape: try values.decodeIfPresent([Int].self, forKey: .shape))
  }

  func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(sums.map { String($0) }, forKey: .sums)
    try values.encode(counts, forKey: .counts)
    try values.encodeIfPresent(shape, forKey: .shape)
  }

  /// Adds what others of the same value observed; nothing where they have other channels.
  mutating func merge(_ other: ChannelMeans) {
    guard !sums.isEmpty else {
      self = other
      return
    }
    guard other.sums.count == sums.count else { return }
    for index in sums.indices {
      sums[index] += other.sums[index]
      counts[index] += other.counts[index]
    }
    if let own = shape, let others = other.shape, others.lexicographicallyPrecedes(own) {
      shape = others
    }
  }

  /// Whether what was decoded can have been observed.
  var isSound: Bool {
    let limit = Int128(1) << 120
    return counts.count == sums.count
      && counts.allSatisfy { (0..<1 << 56).contains($0) }
      && sums.allSatisfy { abs($0) < limit }
      && (shape ?? []).allSatisfy { $0 >= 0 }
  }
}
