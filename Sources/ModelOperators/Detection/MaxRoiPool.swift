import ModelIR
import TensorCore

/// Regions of an image, each cut into `height` × `width` cells of whole elements: the greatest element of
/// each; 0 for a cell without any.
///
/// Operands: X [N, C, H, W], regions [R, 5] as image, then x, y of two corners. Clauses `MR1`… of
/// `formats/operators.md`; ONNX MaxRoiPool 1–22.
package struct MaxRoiPool: Operator {
  package static let name = "MaxRoiPool"
  package static let fields = [
    Field("height", \MaxRoiPool.height), Field("width", \MaxRoiPool.width),
    Field("scale", \MaxRoiPool.scale),
  ]

  package var height = 1
  package var width = 1
  /// From the regions' coordinates to the image's.
  package var scale: Float = 1

  package init() {}
  package init(height: Int, width: Int, scale: Float = 1) {
    self.height = height
    self.width = width
    self.scale = scale
  }
}

extension MaxRoiPool {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (x, regions) = (try inputs.required(0), try inputs.required(1))
    guard x.element.isFloatingPoint, regions.element == x.element else {
      throw ModelError(.typeMismatch, "MR1: regions of \(regions.element) in \(x.element)")
    }
    let (image, rows) = (try x.dimensions(), try regions.dimensions())
    guard image.count == 4, rows.count == 2, rows[1].mayEqual(5), height >= 1, width >= 1 else {
      throw ModelError(.shapeMismatch, "MR2: regions of \(regions.type) in \(x.type)")
    }
    return [TensorType(x.element, [rows[0], image[1], .fixed(height), .fixed(width)])]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, regions) = (try inputs.required(0), try inputs.required(1))
    let (channels, rows, columns) = (x.shape[1], x.shape[2], x.shape[3])
    let (values, corners) = (x.doubles(), regions.doubles())
    let shape = try Shape([regions.shape[0], channels, height, width])
    var result: [Double] = []
    result.reserveCapacity(shape.count)
    for region in 0..<regions.shape[0] {
      let line = corners[region * 5..<region * 5 + 5].map { $0 }
      guard line[0] >= 0, line[0] < Double(x.shape[0]), line.allSatisfy({ abs($0) < 1e9 }) else {
        throw ModelError(.invalidValue, "MR3: a region of image \(line[0])")
      }
      let c = line.map { Int(($0 * Double(scale)).rounded()) }
      let down = MaxRoiPool.cells(from: c[2], to: c[4], count: height, within: rows)
      let along = MaxRoiPool.cells(from: c[1], to: c[3], count: width, within: columns)
      for channel in 0..<channels {
        let plane = (Int(line[0]) * channels + channel) * rows * columns
        for i in down {
          for j in along {
            let cell = i.lazy.flatMap { row in j.lazy.map { values[plane + row * columns + $0] } }
            result.append(cell.max() ?? 0)
          }
        }
      }
    }
    return [Tensor(x.element, shape, doubles: result)]
  }

  /// The elements of each cell between two corners, both of them included.
  private static func cells(
    from first: Int, to last: Int, count: Int, within extent: Int
  ) -> [Range<Int>] {
    let size = Double(max(last - first + 1, 1)) / Double(count)
    return (0..<count).map { cell in
      let start = Int((Double(cell) * size).rounded(.down)) + first
      let end = Int((Double(cell + 1) * size).rounded(.up)) + first
      let lower = min(max(start, 0), extent)
      return lower..<max(lower, min(max(end, 0), extent))
    }
  }
}

extension MaxRoiPool: ImportableOperator {
  package static let importers = [
    Importer("MaxRoiPool", 1...newestOpset) { node throws(ModelError) in
      let shape: [Int] = try node.required(attribute: "pooled_shape")
      guard shape.count == 2 else {
        throw ModelError(.invalidValue, "MR4: pooled_shape \(shape) has not two extents")
      }
      return MaxRoiPool(
        height: shape[0], width: shape[1],
        scale: try node.attribute("spatial_scale", default: Float(1)))
    }
  ]
}
