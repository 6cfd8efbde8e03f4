import ModelIR
import TensorCore

/// Samples an image at the places that a grid names; −1 and 1 are the two ends of each spatial axis, and
/// the grid's last axis holds the coordinates of the last spatial axis first.
///
/// Operands: X [N, C, …], grid [N, …, spatial rank]. Clauses `GS1`… of `formats/operators.md`; ONNX
/// GridSample 16–22.
package struct GridSample: Operator {
  package static let name = "GridSample"
  package static let fields = [
    Field("mode", \GridSample.mode), Field("padding", \GridSample.padding),
    Field("alignCorners", \GridSample.alignCorners),
  ]

  package enum Padding: String, StringAttribute { case zeros, border, reflection }

  package var mode = Resize.Mode.linear
  package var padding = Padding.zeros
  /// The ends are the centres of the outermost elements, not their outer edges.
  package var alignCorners = false

  package init() {}
  package init(_ mode: Resize.Mode, padding: Padding = .zeros, alignCorners: Bool = false) {
    self.mode = mode
    self.padding = padding
    self.alignCorners = alignCorners
  }
}

// MARK: - Types

extension GridSample {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (x, grid) = (try inputs.required(0), try inputs.required(1))
    guard grid.element.isFloatingPoint, x.element != .bool else {
      throw ModelError(.typeMismatch, "GS1: a grid of \(grid.element) over \(x.element)")
    }
    let (image, places) = (try x.dimensions(), try grid.dimensions())
    guard image.count >= 3, places.count == image.count, image[0].mayEqual(places[0]),
      places[places.count - 1].mayEqual(.fixed(image.count - 2))
    else { throw ModelError(.shapeMismatch, "GS2: a grid of \(grid.type) over \(x.type)") }
    return [
      TensorType(
        x.element, [image[0].merged(with: places[0]), image[1]] + places[1..<places.count - 1])
    ]
  }
}

// MARK: - Reference

extension GridSample {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, grid) = (try inputs.required(0), try inputs.required(1))
    let rank = x.shape.rank - 2
    let extents = Array(x.shape.dimensions.dropFirst(2))
    let shape = try Shape(
      Array(x.shape.dimensions.prefix(2)) + grid.shape.dimensions[1..<grid.shape.rank - 1])
    let (channels, inner) = (x.shape[1], x.shape.count(2..<x.shape.rank))
    let points = grid.shape.count(1..<grid.shape.rank - 1)
    let (values, places) = (x.doubles(), grid.doubles())
    var result = [Double](repeating: 0, count: shape.count)
    for n in 0..<x.shape[0] {
      for point in 0..<points {
        var taps: [(index: Int, weight: Double)] = [(0, 1)]
        for axis in 0..<rank {
          let place = places[(n * points + point) * rank + rank - 1 - axis]
          let own = self.taps(at: place, extent: extents[axis])
          taps = taps.flatMap { outer in
            own.map { (outer.index * extents[axis] + $0.index, outer.weight * $0.weight) }
          }
        }
        for c in 0..<channels {
          var sum = 0.0
          for tap in taps {
            sum += tap.weight * values[(n * channels + c) * inner + tap.index]
          }
          result[(n * channels + c) * points + point] = sum
        }
      }
    }
    return [Tensor(x.element, shape, doubles: result)]
  }

  /// The elements of one axis that a place is a sum of, and their weights.
  func taps(at place: Double, extent: Int) -> [(index: Int, weight: Double)] {
    let last = Double(extent - 1)
    let low = alignCorners ? 0 : -0.5
    let high = alignCorners ? last : last + 0.5
    // Coordinates are float32 by definition: ties depend on it.
    var x = Double(
      Float(alignCorners ? (place + 1) / 2 * last : ((place + 1) * Double(extent) - 1) / 2))
    if mode == .nearest { x = x.rounded(.toNearestOrEven) }
    if !(x >= low && x <= high) {
      switch padding {
      case .zeros: break
      case .border:
        // Cubic weights change up to where all four neighbours are the nearest inside.
        let reach = mode == .cubic ? 2.0 : 0
        x = min(max(x, -reach), last + reach)
      case .reflection: x = GridSample.reflected(x, low, high)
      }
    }
    guard x.isFinite, abs(x) < 0x1p52 else { return [] }
    let base = mode == .nearest ? Int(x) : Int(x.rounded(.down))
    let t = x - Double(base)
    var weights: [(offset: Int, weight: Double)]
    switch mode {
    case .nearest: weights = [(0, 1)]
    case .linear: weights = [(0, 1 - t), (1, t)]
    case .cubic:
      weights = (-1...2).map { ($0, GridSample.cubic(abs(Double($0) - t))) }
    }
    return weights.compactMap { offset, weight in
      var index = base + offset
      if index < 0 || index >= extent {
        switch padding {
        case .zeros: return nil
        case .border: index = min(max(index, 0), extent - 1)
        case .reflection:
          index = min(max(Int(GridSample.reflected(Double(index), low, high)), 0), extent - 1)
        }
      }
      return (index, weight)
    }
  }

  private static func cubic(_ x: Double) -> Double {
    let a = -0.75
    if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
  }

  /// `x` mirrored at `low` and `high` until it lies between them.
  private static func reflected(_ x: Double, _ low: Double, _ high: Double) -> Double {
    let range = high - low
    guard range > 0, x.isFinite else { return low }
    let beyond = x < low ? low - x : x > high ? x - high : 0
    guard beyond > 0 else { return x }
    let turns = (beyond / range).rounded(.down)
    let rest = beyond - turns * range
    let even = turns.truncatingRemainder(dividingBy: 2) == 0
    return (x < low) == even ? low + rest : high - rest
  }
}

// MARK: - Import

extension GridSample: ImportableOperator {
  package static let importers = [
    Importer("GridSample", 16...newestOpset) { node throws(ModelError) in
      GridSample(
        try node.choice(
          "mode", default: node.version < 20 ? "bilinear" : "linear",
          [
            "bilinear": .linear, "linear": .linear, "nearest": .nearest, "bicubic": .cubic,
            "cubic": .cubic,
          ]),
        padding: try node.choice(
          "padding_mode", default: "zeros",
          ["zeros": .zeros, "border": .border, "reflection": .reflection]),
        alignCorners: try node.flag("align_corners", default: false))
    }
  ]
}
