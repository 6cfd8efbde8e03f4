import Foundation
import ModelIR

/// How ``Resize`` makes the elements along one axis.
package struct ResizeAxis: Sendable {
  package let input: Int
  package let output: Int
  /// For each element of the result, the elements that it is a sum of and their weights; none for an
  /// element that is extrapolated.
  package let taps: [[(index: Int, weight: Double)]]

  init(
    _ op: Resize, input: Int, output: Int, scale: Double, crop: (start: Double, end: Double)
  ) {
    self.input = input
    self.output = output
    taps = (0..<output).map { place in
      let x = ResizeAxis.origin(
        Double(place), op.coordinates, input: Double(input), output: Double(output), scale, crop)
      if op.coordinates == .cropAndResize, x < 0 || x > Double(input - 1) { return [] }
      return ResizeAxis.taps(op, around: x, input: input, scale: scale)
    }
  }

  private init(input: Int, output: Int, taps: [[(index: Int, weight: Double)]]) {
    self.input = input
    self.output = output
    self.taps = taps
  }

  /// The transpose: elements of the result add their multiples to the operand's.
  func transposed() -> ResizeAxis {
    var turned = [[(index: Int, weight: Double)]](repeating: [], count: input)
    for (place, taps) in taps.enumerated() {
      for tap in taps where tap.weight != 0 { turned[tap.index].append((place, tap.weight)) }
    }
    return ResizeAxis(input: output, output: input, taps: turned)
  }

  /// The place in the operand that element `place` of the result comes from (`RZ7`).
  private static func origin(
    _ place: Double, _ coordinates: Resize.Coordinates, input: Double, output: Double,
    _ scale: Double, _ crop: (start: Double, end: Double)
  ) -> Double {
    // The exact length of the result, before it is cut to whole elements.
    let length = scale * input
    switch coordinates {
    case .halfPixel: return (place + 0.5) / scale - 0.5
    case .halfPixelSymmetric:
      return input / 2 * (1 - output / length) + (place + 0.5) / scale - 0.5
    case .pytorchHalfPixel: return length == 1 ? 0 : (place + 0.5) / scale - 0.5
    case .alignCorners: return length == 1 ? 0 : place * (input - 1) / (length - 1)
    case .asymmetric: return place / scale
    case .halfPixelForNearest: return (place + 0.5) / scale
    case .cropAndResize:
      let start = crop.start * (input - 1)
      let extent = (crop.end - crop.start) * (input - 1)
      return start + (length == 1 ? extent / 2 : place * extent / (length - 1))
    }
  }

  private static func taps(
    _ op: Resize, around x: Double, input: Int, scale: Double
  ) -> [(index: Int, weight: Double)] {
    // The neighbour below, an integer place counting as the neighbour above it.
    // Where a formula divides by zero, any place will do.
    let x = x.isFinite ? min(max(x, -0x1p40), 0x1p40) : 0
    let below = x.rounded(.up) - 1
    let ratio = x - below
    let base = Int(below)
    var weights: [Double]
    var first = base
    switch op.mode {
    case .nearest:
      let upper =
        switch op.nearest {
        case .roundPreferFloor: ratio > 0.5
        case .roundPreferCeil: ratio >= 0.5
        case .floor: ratio == 1
        case .ceil: true
        case .simple: ratio == 1 || scale < 1
        }
      return [(min(max(base + (upper ? 1 : 0), 0), input - 1), 1)]
    case .linear where op.antialias:
      let shrink = min(scale, 1)
      let start = Int((-1 / shrink).rounded(.down)) + 1
      first = base + start
      weights = (start..<2 - start).map { max(0, 1 - abs((Double($0) - ratio) * shrink)) }
    case .linear: weights = [1 - ratio, ratio]
    case .cubic:
      let a = Double(op.cubicCoefficient)
      let shrink = op.antialias ? min(scale, 1) : 1
      let start = Int((-2 / shrink).rounded(.down)) + 1
      first = base + start
      weights = (start..<2 - start).map { cubic(abs((Double($0) - ratio) * shrink), a) }
    }
    if op.antialias {
      let sum = weights.reduce(0, +)
      weights = weights.map { $0 / sum }
    }
    if op.excludesOutside {
      for index in weights.indices where first + index < 0 || first + index >= input {
        weights[index] = 0
      }
      let sum = weights.reduce(0, +)
      if sum != 0 { weights = weights.map { $0 / sum } }
    }
    return weights.indices.map { (min(max(first + $0, 0), input - 1), weights[$0]) }
  }

  /// The cubic convolution kernel at distance `x` ≥ 0.
  private static func cubic(_ x: Double, _ a: Double) -> Double {
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
    return 0
  }
}
