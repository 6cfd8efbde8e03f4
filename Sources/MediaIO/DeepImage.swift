import TensorCore

/// A picture of red, green and blue with 8 or 16 bits each, row by row.
package struct DeepImage: Sendable, Equatable {
  package enum Depth: Int, Sendable {
    case eight = 8
    case sixteen = 16

    /// The greatest value.
    package var maximum: Int { self == .eight ? 255 : 65_535 }
  }

  package let width: Int
  package let height: Int
  package let depth: Depth
  /// `width · height · 3` values up to the depth's greatest.
  package let values: [UInt16]

  package init(width: Int, height: Int, depth: Depth, values: [UInt16]) {
    precondition(values.count == width * height * 3, "\(values.count) values do not fill the image")
    self.width = width
    self.height = height
    self.depth = depth
    self.values = values
  }

  /// The picture with these planes in [0, 1], red first or one for all three; values outside are clamped,
  /// halves rounded to even.
  package init(_ planes: ImagePlanes, depth: Depth) {
    precondition([1, 3].contains(planes.channels), "a picture has one plane or three")
    let (area, maximum) = (planes.width * planes.height, Float(depth.maximum))
    var values = [UInt16](repeating: 0, count: area * 3)
    for channel in 0..<3 {
      let start = planes.channels == 1 ? 0 : channel * area
      for pixel in 0..<area {
        let value = planes.values[start + pixel]
        let clamped = min(1, max(0, value.isNaN ? 0 : value))
        values[pixel * 3 + channel] = UInt16((clamped * maximum).rounded(.toNearestOrEven))
      }
    }
    self.init(width: planes.width, height: planes.height, depth: depth, values: values)
  }

  /// Three planes in [0, 1], red first.
  package var planes: ImagePlanes {
    let (area, maximum) = (width * height, Float(depth.maximum))
    var planes = [Float](repeating: 0, count: values.count)
    for channel in 0..<3 {
      for pixel in 0..<area {
        planes[channel * area + pixel] = Float(values[pixel * 3 + channel]) / maximum
      }
    }
    return ImagePlanes(channels: 3, height: height, width: width, values: planes)
  }

  /// With eight bits, for looking at.
  package var image: Image {
    let shift = depth == .eight ? 1 : 257
    return Image(
      width: width, height: height, pixels: values.map { UInt8((Int($0) + shift / 2) / shift) })
  }
}
