import ModelIR
import TensorCore

/// Resampling along any axes: each element of the result is a weighted sum of the operand's elements
/// around the place that it comes from (``ResizeAxis``).
///
/// Operands: X, roi?, scales?, sizes?; one of scales and sizes. Clauses `RZ1`… of
/// `formats/operators.md`; ONNX Resize 10–19 and Upsample 7–9.
package struct Resize: Operator {
  package static let name = "Resize"
  package static let fields = [
    Field("mode", \Resize.mode),
    Field("coordinates", \Resize.coordinates),
    Field("nearest", \Resize.nearest),
    Field("cubicCoefficient", \Resize.cubicCoefficient),
    Field("excludesOutside", \Resize.excludesOutside),
    Field("extrapolation", \Resize.extrapolation),
    Field("antialias", \Resize.antialias),
    Field("axes", \Resize.axes),
    Field("aspect", \Resize.aspect),
  ]

  package enum Mode: String, StringAttribute { case nearest, linear, cubic }

  /// Where an element of the result comes from.
  package enum Coordinates: String, StringAttribute {
    case halfPixel, halfPixelSymmetric, pytorchHalfPixel, alignCorners, asymmetric, cropAndResize
    case halfPixelForNearest
  }

  /// Which neighbour `nearest` takes.
  package enum Nearest: String, StringAttribute {
    case roundPreferFloor, roundPreferCeil, floor, ceil
    /// Up where the axis shrinks, down elsewhere: opsets before 11.
    case simple
  }

  /// What happens to sizes that would change the aspect ratio.
  package enum Aspect: String, StringAttribute { case stretch, notLarger, notSmaller }

  package var mode = Mode.nearest
  package var coordinates = Coordinates.halfPixel
  package var nearest = Nearest.roundPreferFloor
  package var cubicCoefficient: Float = -0.75
  package var excludesOutside = false
  package var extrapolation: Float = 0
  package var antialias = false
  /// Axes that roi, scales and sizes speak of; empty for all.
  package var axes: [Int] = []
  package var aspect = Aspect.stretch

  package init() {}
  package init(
    _ mode: Mode, coordinates: Coordinates = .halfPixel, nearest: Nearest = .roundPreferFloor
  ) {
    self.mode = mode
    self.coordinates = coordinates
    self.nearest = nearest
  }
}

// MARK: - Types

extension Resize {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...4)
    let x = try inputs.required(0)
    guard x.element != .bool else {
      throw ModelError(.typeMismatch, "RZ1: resampling of \(x.element)")
    }
    guard !antialias || mode != .nearest else {
      throw ModelError(.invalidValue, "RZ2: antialiasing of nearest neighbours")
    }
    let dimensions = try x.dimensions()
    let axes = try resolvedAxes(rank: dimensions.count)
    let scales = Resize.present(inputs.optional(2))
    let sizes = Resize.present(inputs.optional(3))
    guard (scales == nil) != (sizes == nil) else {
      throw ModelError(.invalidValue, "RZ3: scales or sizes are needed, and not both")
    }
    var result = dimensions
    if let scales {
      guard let factors = scales.constant?.floats() else {
        for axis in axes { result[axis] = .unknown }
        return [TensorType(x.element, result)]
      }
      guard factors.count == axes.count, factors.allSatisfy({ $0 > 0 && $0.isFinite }) else {
        throw ModelError(.invalidValue, "RZ4: scales \(factors) for \(axes.count) axes")
      }
      for (axis, factor) in zip(axes, factors) where factor != 1 {
        result[axis] = try Resize.scaled(dimensions[axis], by: factor)
      }
    } else if let sizes {
      guard let extents = sizes.extents, aspect == .stretch || sizes.constant != nil else {
        for axis in axes { result[axis] = .unknown }
        return [TensorType(x.element, result)]
      }
      guard extents.count == axes.count, extents.allSatisfy({ ($0.value ?? 1) >= 1 }) else {
        throw ModelError(.invalidValue, "RZ5: sizes \(extents) for \(axes.count) axes")
      }
      for (axis, extent) in zip(axes, extents) { result[axis] = extent }
      if aspect != .stretch {
        let wanted = axes.map { result[$0].value }
        let given = axes.map { dimensions[$0].value }
        for (place, axis) in axes.enumerated() {
          result[axis] = keptAspect(wanted, given).map { .fixed($0[place]) } ?? .unknown
        }
      }
    }
    return [TensorType(x.element, result)]
  }

  /// Nil for an operand that is absent in the way of opset 11: a tensor without elements.
  private static func present(_ operand: Fact?) -> Fact? {
    guard let operand, operand.type.shape?.count != 0 else { return nil }
    return operand
  }

  /// What becomes of an extent. One with a name has another, which says how it came about: what is resampled alike has equal
  /// extents.
  private static func scaled(
    _ extent: Dimension, by factor: Float
  ) throws(ModelError) -> Dimension {
    switch extent {
    case .fixed(let value): .fixed(try scaled(value, by: factor))
    case .symbol(let name): .symbol("\(name)*\(factor)")
    case .unknown: .unknown
    }
  }

  private static func scaled(_ extent: Int, by factor: Float) throws(ModelError) -> Int {
    let product = (Float(extent) * factor).rounded(.down)
    guard product < 0x1p40 else {
      throw ModelError(.limitExceeded, "RZ4: an extent of \(extent) scaled by \(factor)")
    }
    return Int(product)
  }

  func resolvedAxes(rank: Int) throws(ModelError) -> [Int] {
    if axes.isEmpty { return Array(0..<rank) }
    let resolved = try axes.map { (axis) throws(ModelError) in
      try Shape.resolve(axis: axis, rank: rank)
    }
    guard Set(resolved).count == resolved.count, resolved.allSatisfy({ $0 < rank }) else {
      throw ModelError(.invalidValue, "RZ6: axes \(axes) repeat or are not there")
    }
    return resolved
  }

  /// The one scale of ``aspect``.
  private func commonScale(_ wanted: [Int], _ given: [Int]) -> Double {
    let factors = zip(wanted, given).map { Double($0) / Double(max(1, $1)) }
    return (aspect == .notLarger ? factors.min() : factors.max()) ?? 1
  }

  private func keptAspect(_ wanted: [Int?], _ given: [Int?]) -> [Int]? {
    let (wanted, given) = (wanted.compactMap { $0 }, given.compactMap { $0 })
    guard wanted.count == given.count else { return nil }
    let scale = commonScale(wanted, given)
    return given.map { Int(min(scale * Double($0) + 0.5, Double(Shape.maximumCount))) }
  }

  /// How each axis is resampled, or nil for an axis that stays as it is.
  ///
  /// - Parameters: the operands; `roi` is read by `cropAndResize` only.
  package func resampling(
    _ shape: Shape, roi: Tensor?, scales: Tensor?, sizes: Tensor?
  ) throws(ModelError) -> [ResizeAxis?] {
    let axes = try resolvedAxes(rank: shape.rank)
    let factors = scales.flatMap { $0.count == 0 ? nil : $0.floats() }
    let given = axes.map { shape[$0] }
    var extents: [Int] = []
    var ratios: [Double] = []
    if let factors {
      for (extent, factor) in zip(given, factors) {
        extents.append(try Resize.scaled(extent, by: factor))
        ratios.append(Double(factor))
      }
    } else {
      let wanted = (sizes?.integers() ?? []).map { Int($0) }
      if aspect == .stretch {
        extents = wanted
        ratios = zip(wanted, given).map { Double($0) / Double(max(1, $1)) }
      } else {
        extents = keptAspect(wanted, given) ?? wanted
        ratios = [Double](repeating: commonScale(wanted, given), count: given.count)
      }
    }
    let region = roi?.doubles() ?? []
    guard extents.count == axes.count, ratios.count == axes.count,
      extents.allSatisfy({ (0...Shape.maximumCount).contains($0) })
    else { throw ModelError(.invalidValue, "RZ5: sizes \(extents) for \(axes.count) axes") }
    guard ratios.allSatisfy({ (1e-6...1e6).contains($0) }),
      region.allSatisfy({ abs($0) <= 1e6 })
    else { throw ModelError(.limitExceeded, "RZ4: scales \(ratios), region \(region)") }
    var result = [ResizeAxis?](repeating: nil, count: shape.rank)
    for (place, axis) in axes.enumerated() {
      var crop = (start: 0.0, end: 1.0)
      if coordinates == .cropAndResize, region.count == 2 * axes.count {
        crop = (region[place], region[axes.count + place])
      }
      if ratios[place] == 1, extents[place] == given[place], crop == (0, 1) { continue }
      guard given[place] > 0 || extents[place] == 0 else {
        throw ModelError(.shapeMismatch, "RZ5: an empty axis becomes \(extents[place])")
      }
      result[axis] = ResizeAxis(
        self, input: given[place], output: extents[place], scale: ratios[place], crop: crop)
    }
    return result
  }
}

// MARK: - Reference

extension Resize {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let axes = try resampling(
      x.shape, roi: inputs.optional(1), scales: inputs.optional(2), sizes: inputs.optional(3))
    return [try Resize.resampled(x, axes, absent: Double(extrapolation))]
  }

  /// `x` resampled along each axis; elements that nothing adds to are `absent`.
  static func resampled(
    _ x: Tensor, _ axes: [ResizeAxis?], absent: Double
  ) throws(ModelError) -> Tensor {
    var values = x.doubles()
    var shape = x.shape
    for (axis, resampled) in axes.enumerated() {
      guard let resampled else { continue }
      let inner = shape.count(axis + 1..<shape.rank)
      let outer = shape.count(0..<axis)
      var extents = shape.dimensions
      extents[axis] = resampled.output
      var result = [Double](repeating: 0, count: outer * resampled.output * inner)
      for o in 0..<outer {
        for place in 0..<resampled.output {
          for i in 0..<inner {
            var sum = 0.0
            for (index, weight) in resampled.taps[place] where weight != 0 {
              sum += weight * values[(o * resampled.input + index) * inner + i]
            }
            result[(o * resampled.output + place) * inner + i] =
              resampled.taps[place].isEmpty ? absent : sum
          }
        }
      }
      values = result
      shape = try Shape(extents)
    }
    if let range = x.element.integerRange {
      values = values.map {
        min(max($0.rounded(.toNearestOrEven), Double(range.lowerBound)), Double(range.upperBound))
      }
    }
    return Tensor(x.element, shape, doubles: values)
  }
}

// MARK: - Gradient

extension Resize: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let shape = try site.operand(0).shape
    var operands: [Term?] = []
    for index in 1..<max(1, site.operandCount) {
      operands.append(site.fact(index) == nil ? nil : try site.operand(index))
    }
    let byX = try site.apply(
      ResizeGradient(self, shape: shape.dimensions), [site.gradient()] + operands)
    return [byX]
  }
}

// MARK: - Import

extension Resize: ImportableOperator {
  package static let importers = [
    Importer("Upsample", 7...8) { (node, graph) throws(ModelError) in
      let scales: [Float] = try node.required(attribute: "scales")
      let x = try node.required(0)
      return try node.append(
        try Resize(legacy: node, scales: scales),
        on: [x, nil, node.constant(Tensor(vector: scales), "scales", in: &graph)], to: &graph)
    },
    Importer("Upsample", 9...9) { (node, graph) throws(ModelError) in
      try node.append(
        Resize(legacy: node, scales: graph.constant(node.required(1))?.floats()),
        on: [try node.required(0), nil, try node.required(1)], to: &graph)
    },
    Importer("Resize", 10...10) { (node, graph) throws(ModelError) in
      try node.append(
        Resize(legacy: node, scales: graph.constant(node.required(1))?.floats()),
        on: [try node.required(0), nil, try node.required(1)], to: &graph)
    },
    Importer("Resize", 11...newestOpset) { node throws(ModelError) in try Resize(importing: node) },
  ]

  /// Opsets before 11. Where it is known that no axis shrinks, or that none grows, later opsets have a
  /// name for the neighbour that is taken.
  private init(legacy node: ForeignNode, scales: [Float]?) throws(ModelError) {
    self.init()
    mode = try node.choice("mode", default: "nearest", ["nearest": .nearest, "linear": .linear])
    coordinates = .asymmetric
    nearest = .simple
    guard mode == .nearest, let scales else { return }
    if scales.allSatisfy({ $0 >= 1 }) { nearest = .floor }
    if scales.allSatisfy({ $0 <= 1 }), scales.contains(where: { $0 < 1 }) { nearest = .ceil }
  }

  private init(importing node: ForeignNode) throws(ModelError) {
    self.init()
    mode = try node.choice(
      "mode", default: "nearest", ["nearest": .nearest, "linear": .linear, "cubic": .cubic])
    coordinates = try node.choice(
      "coordinate_transformation_mode", default: "half_pixel",
      [
        "half_pixel": .halfPixel, "half_pixel_symmetric": .halfPixelSymmetric,
        "pytorch_half_pixel": .pytorchHalfPixel, "align_corners": .alignCorners,
        "asymmetric": .asymmetric, "tf_crop_and_resize": .cropAndResize,
        "tf_half_pixel_for_nn": .halfPixelForNearest,
      ])
    nearest = try node.choice(
      "nearest_mode", default: "round_prefer_floor",
      [
        "round_prefer_floor": .roundPreferFloor, "round_prefer_ceil": .roundPreferCeil,
        "floor": .floor, "ceil": .ceil,
      ])
    cubicCoefficient = try node.attribute("cubic_coeff_a", default: Float(-0.75))
    excludesOutside = try node.flag("exclude_outside", default: false)
    extrapolation = try node.attribute("extrapolation_value", default: Float(0))
    antialias = try node.flag("antialias", default: false)
    axes = try node.attribute("axes", default: [Int]())
    aspect = try node.choice(
      "keep_aspect_ratio_policy", default: "stretch",
      ["stretch": .stretch, "not_larger": .notLarger, "not_smaller": .notSmaller])
  }
}

extension ForeignNode {
  /// A string attribute that is one of the keys of `known`.
  func choice<Value>(
    _ name: String, default value: String, _ known: [String: Value]
  ) throws(ModelError) -> Value {
    let given = try attribute(name, default: value)
    guard let choice = known[given] else {
      throw ModelError(.unsupportedAttribute, "\(kind) has no \(name) '\(given)'")
    }
    return choice
  }
}
