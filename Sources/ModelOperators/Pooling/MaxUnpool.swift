import ModelIR
import TensorCore

/// Puts the greatest elements of windows back where ``MaxPool`` found them; all other elements are 0.
///
/// Operands: X, indices, output shape?. Clauses `MU1`… of `formats/operators.md`; ONNX MaxUnpool 9–22.
package struct MaxUnpool: Operator {
  package static let name = "MaxUnpool"
  package static let fields = [
    Field("kernel", \MaxUnpool.kernel), Field("strides", \MaxUnpool.strides),
    Field("pads", \MaxUnpool.pads),
  ]

  package var kernel: [Int] = []
  package var strides: [Int] = []
  package var pads: [Int] = []

  package init() {}
  package init(kernel: [Int], strides: [Int] = [], pads: [Int] = []) {
    self.kernel = kernel
    self.strides = strides
    self.pads = pads
  }
}

extension MaxUnpool {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let (x, places) = (try inputs.required(0), try inputs.required(1))
    guard x.element.isFloatingPoint, places.element == .int64 else {
      throw ModelError(.typeMismatch, "MU1: \(x.element) at indices of \(places.element)")
    }
    let dimensions = try x.dimensions()
    try Window(strides: strides, pads: pads).check(rank: kernel.count)
    guard dimensions.count >= 3, kernel.count == dimensions.count - 2,
      kernel.allSatisfy({ $0 >= 1 && $0 <= Window.maximumExtent })
    else { throw ModelError(.shapeMismatch, "MU2: a window of \(kernel) for \(x.type)") }
    if let target = inputs.optional(2) {
      guard let extents = target.extents else {
        return [TensorType(x.element, [Dimension](repeating: .unknown, count: dimensions.count))]
      }
      guard extents.count == dimensions.count else {
        throw ModelError(.shapeMismatch, "MU3: \(extents) for \(x.type)")
      }
      return [TensorType(x.element, extents)]
    }
    return [
      TensorType(
        x.element,
        dimensions.prefix(2)
          + (0..<kernel.count).map { axis in
            dimensions[axis + 2].value.map { .fixed(extent($0, axis)) } ?? .unknown
          })
    ]
  }

  /// The extent that was pooled, as far as it can be told.
  private func extent(_ pooled: Int, _ axis: Int) -> Int {
    let padding = pads.isEmpty ? 0 : pads[axis] + pads[axis + kernel.count]
    return max(0, (pooled - 1) * (strides.isEmpty ? 1 : strides[axis]) - padding + kernel[axis])
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, places) = (try inputs.required(0), try inputs.required(1))
    let own = try Shape(
      Array(x.shape.dimensions.prefix(2)) + kernel.indices.map { extent(x.shape[$0 + 2], $0) })
    let shape =
      try inputs.optional(2).map { (target) throws(ModelError) in
        try Shape(target.integers().map { Int($0) })
      } ?? own
    var result = [Double](repeating: 0, count: shape.count)
    let (from, to) = (own.strides, shape.strides)
    for (value, place) in zip(x.doubles(), places.integers()) {
      guard place >= 0, place < own.count else {
        throw ModelError(.invalidValue, "MU4: index \(place) is outside \(own)")
      }
      // Indices count in the shape that was pooled; the result may be greater.
      var target = 0
      for axis in 0..<own.rank {
        let coordinate = Int(place) / from[axis] % own[axis]
        guard coordinate < shape[axis] else {
          throw ModelError(.invalidValue, "MU4: index \(place) is outside \(shape)")
        }
        target += coordinate * to[axis]
      }
      result[target] = value
    }
    return [Tensor(x.element, shape, doubles: result)]
  }
}

extension MaxUnpool: ImportableOperator {
  package static let importers = [
    Importer("MaxUnpool", 9...newestOpset) { node throws(ModelError) in
      MaxUnpool(
        kernel: try node.required(attribute: "kernel_shape"),
        strides: try node.attribute("strides", default: [Int]()),
        pads: try node.attribute("pads", default: [Int]()))
    }
  ]
}
