import ModelIR
import TensorCore

/// Regions of an image, each resampled to `height` × `width` cells: the mean (or the greatest) of the
/// points that lie evenly in a cell, each interpolated from its four neighbours.
///
/// Operands: X [N, C, H, W], regions [R, 4] as x, y of two corners, image of each region [R]. Clauses
/// `RA1`… of `formats/operators.md`; ONNX RoiAlign 10–22.
package struct RoiAlign: Operator {
  package static let name = "RoiAlign"
  package static let fields = [
    Field("height", \RoiAlign.height), Field("width", \RoiAlign.width),
    Field("samples", \RoiAlign.samples), Field("scale", \RoiAlign.scale),
    Field("greatest", \RoiAlign.greatest), Field("halfPixel", \RoiAlign.halfPixel),
  ]

  package var height = 1
  package var width = 1
  /// Points of a cell along each axis; 0 for as many as the region has elements in it.
  package var samples = 0
  /// From the regions' coordinates to the image's.
  package var scale: Float = 1
  package var greatest = false
  package var halfPixel = true

  package init() {}
}

extension RoiAlign {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let (x, regions, images) = (
      try inputs.required(0), try inputs.required(1), try inputs.required(2)
    )
    guard x.element.isFloatingPoint, regions.element == x.element, images.element.isInteger else {
      throw ModelError(.typeMismatch, "RA1: regions of \(regions.element) in \(x.element)")
    }
    let (image, rows, owners) = (
      try x.dimensions(), try regions.dimensions(), try images.dimensions()
    )
    guard image.count == 4, rows.count == 2, rows[1].mayEqual(4), owners.count == 1,
      owners[0].mayEqual(rows[0]), height >= 1, width >= 1, samples >= 0
    else { throw ModelError(.shapeMismatch, "RA2: regions of \(regions.type) in \(x.type)") }
    return [
      TensorType(
        x.element, [rows[0].merged(with: owners[0]), image[1], .fixed(height), .fixed(width)])
    ]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, regions) = (try inputs.required(0), try inputs.required(1))
    let owners = try inputs.required(2).integers()
    let (channels, rows, columns) = (x.shape[1], x.shape[2], x.shape[3])
    let (values, corners) = (x.doubles(), regions.doubles())
    let shape = try Shape([regions.shape[0], channels, height, width])
    var result = [Double](repeating: 0, count: shape.count)
    for (region, owner) in owners.enumerated() {
      guard owner >= 0, owner < x.shape[0], rows > 0, columns > 0 else {
        throw ModelError(.invalidValue, "RA3: a region of image \(owner)")
      }
      let offset = halfPixel ? 0.5 : 0
      let c = corners[region * 4..<region * 4 + 4].map { $0 * Double(scale) - offset }
      guard c.allSatisfy(\.isFinite) else {
        throw ModelError(.invalidValue, "RA3: a region from \(c[0]), \(c[1]) to \(c[2]), \(c[3])")
      }
      var extent = (h: c[3] - c[1], w: c[2] - c[0])
      if !halfPixel { extent = (max(extent.h, 1), max(extent.w, 1)) }
      let cell = (h: extent.h / Double(height), w: extent.w / Double(width))
      let points = try (h: self.points(cell.h), w: self.points(cell.w))
      guard points.h * points.w <= RoiAlign.maximumPoints else {
        throw ModelError(.limitExceeded, "RA4: \(points.h) × \(points.w) points of a cell")
      }
      for i in 0..<height * width {
        var made = [Double](repeating: 0, count: channels)
        for p in 0..<points.h {
          for q in 0..<points.w {
            let y = c[1] + (Double(i / width) + (Double(p) + 0.5) / Double(points.h)) * cell.h
            let z = c[0] + (Double(i % width) + (Double(q) + 0.5) / Double(points.w)) * cell.w
            let taps = RoiAlign.taps(y, z, rows, columns)
            for channel in 0..<channels {
              let plane = (Int(owner) * channels + channel) * rows * columns
              for (index, tap) in taps.enumerated() {
                let product = tap.weight * values[plane + tap.place]
                if !greatest {
                  made[channel] += product
                } else if p + q + index == 0 || made[channel] < product {
                  made[channel] = product
                }
              }
            }
          }
        }
        let divisor = greatest ? 1 : Double(max(1, points.h * points.w))
        for channel in 0..<channels {
          result[(region * channels + channel) * height * width + i] = made[channel] / divisor
        }
      }
    }
    return [Tensor(x.element, shape, doubles: result)]
  }

  /// The greatest number of points of a cell (`RA4`).
  private static let maximumPoints = 1 << 24

  /// Points along one axis of a cell of that extent.
  private func points(_ extent: Double) throws(ModelError) -> Int {
    let count = samples > 0 ? Double(samples) : max(0, extent.rounded(.up))
    guard count <= Double(RoiAlign.maximumPoints) else {
      throw ModelError(.limitExceeded, "RA4: \(count) points along a cell")
    }
    return Int(count)
  }

  /// The four neighbours of a point; of weight 0 where it lies outside.
  private static func taps(
    _ y: Double, _ x: Double, _ rows: Int, _ columns: Int
  ) -> [(place: Int, weight: Double)] {
    guard y >= -1, y <= Double(rows), x >= -1, x <= Double(columns) else { return [(0, 0)] }
    let (y, x) = (min(max(y, 0), Double(rows - 1)), min(max(x, 0), Double(columns - 1)))
    let (i, j) = (Int(y), Int(x))
    let (below, right) = (min(i + 1, rows - 1), min(j + 1, columns - 1))
    let (a, b) = (y - Double(i), x - Double(j))
    return [
      (i * columns + j, (1 - a) * (1 - b)), (i * columns + right, (1 - a) * b),
      (below * columns + j, a * (1 - b)), (below * columns + right, a * b),
    ]
  }
}

extension RoiAlign: ImportableOperator {
  package static let importers = [
    Importer("RoiAlign", 10...newestOpset) { node throws(ModelError) in
      var op = RoiAlign()
      op.height = try node.attribute("output_height", default: 1)
      op.width = try node.attribute("output_width", default: 1)
      op.samples = try node.attribute("sampling_ratio", default: 0)
      op.scale = try node.attribute("spatial_scale", default: Float(1))
      op.greatest = try node.choice("mode", default: "avg", ["avg": false, "max": true])
      op.halfPixel = try node.choice(
        "coordinate_transformation_mode",
        default: node.version < 16 ? "output_half_pixel" : "half_pixel",
        ["half_pixel": true, "output_half_pixel": false])
      return op
    }
  ]
}
