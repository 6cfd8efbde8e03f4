import TensorCore

/// A rectangle in pixels; edges lie between pixels, so the whole of an image is 0, 0, width, height.
package struct Box: Sendable, Equatable {
  package let left, top, right, bottom: Double

  /// - Throws: `invalid-value` where it is empty or not finite.
  package init(left: Double, top: Double, right: Double, bottom: Double) throws(ModelError) {
    guard [left, top, right, bottom].allSatisfy({ $0.isFinite && abs($0) <= 1e6 }),
      right > left, bottom > top
    else {
      throw ModelError(
        .invalidValue, "\(left),\(top),\(right),\(bottom) is not a box: left,top,right,bottom")
    }
    self.left = left
    self.top = top
    self.right = right
    self.bottom = bottom
  }

  private init(wholeWidth width: Int, height: Int) {
    left = 0
    top = 0
    right = Double(width)
    bottom = Double(height)
  }

  package static func whole(_ image: Image) -> Box {
    Box(wholeWidth: image.width, height: image.height)
  }

  /// - Throws: `invalid-value` where part of the box lies outside.
  package func check(inside image: Image) throws(ModelError) {
    guard left >= 0, top >= 0, right <= Double(image.width), bottom <= Double(image.height) else {
      throw ModelError(
        .invalidValue,
        "box \(left),\(top),\(right),\(bottom) leaves the image of \(image.width)×\(image.height)")
    }
  }
}

/// A square face in planes of blue, green and red: how OpenCV-trained networks see it.
package struct FaceCrop: Sendable {
  package let size: Int
  /// 3 × size × size in [0, 255].
  package let planes: [Float]

  /// Bilinear with pixel centres at one half, edges repeated, no smoothing, no rounding to bytes.
  package init(_ image: Image, _ box: Box, size: Int) {
    let rows = FaceCrop.taps(box.top, box.bottom - box.top, size, image.height)
    let columns = FaceCrop.taps(box.left, box.right - box.left, size, image.width)
    var planes = [Float](repeating: 0, count: 3 * size * size)
    for (y, row) in rows.enumerated() {
      for (x, column) in columns.enumerated() {
        for channel in 0..<3 {
          func pixel(_ row: Int, _ column: Int) -> Float {
            Float(image.pixels[(row * image.width + column) * 3 + 2 - channel])
          }
          let u = column.weight
          let upper = pixel(row.low, column.low) * (1 - u) + pixel(row.low, column.high) * u
          let lower = pixel(row.high, column.low) * (1 - u) + pixel(row.high, column.high) * u
          planes[(channel * size + y) * size + x] = upper * (1 - row.weight) + lower * row.weight
        }
      }
    }
    self.size = size
    self.planes = planes
  }

  /// - Parameter planes: blue, green and red in [-1, 1], as a network's Tanh gives them.
  package init(network planes: some Collection<Float>, size: Int) {
    precondition(planes.count == 3 * size * size)
    self.size = size
    self.planes = planes.map { ($0 + 1) * 127.5 }
  }

  /// - Parameter planes: blue, green and red in [0, 255].
  package init(planes: some Collection<Float>, size: Int) {
    precondition(planes.count == 3 * size * size)
    self.size = size
    self.planes = Array(planes)
  }

  private struct Tap {
    let low: Int
    let high: Int
    let weight: Float
  }

  /// Where each of `size` samples of `length` pixels from `start` falls among `limit` pixels.
  private static func taps(_ start: Double, _ length: Double, _ size: Int, _ limit: Int) -> [Tap] {
    (0..<size).map { index in
      let position = start + (Double(index) + 0.5) * length / Double(size) - 0.5
      let clamped = min(Double(limit - 1), max(0, position))
      let low = Int(clamped)
      return Tap(
        low: low, high: min(low + 1, limit - 1), weight: Float(clamped - Double(low)))
    }
  }

  /// Six planes in [-1, 1]: this face with its lower half at 0, then the whole of it.
  package func networkInput() -> [Float] {
    let whole = planes.map { $0 / 127.5 - 1 }
    var masked = whole
    for channel in 0..<3 {
      for index in (channel * size + size / 2) * size..<(channel + 1) * size * size {
        masked[index] = 0
      }
    }
    return masked + whole
  }

  /// Values are cut to bytes towards zero, as the published inference does.
  package var image: Image {
    var pixels = [UInt8](repeating: 0, count: 3 * size * size)
    for channel in 0..<3 {
      for index in 0..<size * size {
        let value = planes[channel * size * size + index]
        pixels[index * 3 + 2 - channel] = UInt8(min(255, max(0, value.isNaN ? 0 : value)))
      }
    }
    return Image(width: size, height: size, pixels: pixels)
  }
}

extension Image {
  /// Bilinear as ``FaceCrop``, to any size.
  package func resized(width: Int, height: Int) -> Image {
    var pixels = [UInt8](repeating: 0, count: width * height * 3)
    for y in 0..<height {
      let v = position(y, of: height, in: self.height)
      for x in 0..<width {
        let u = position(x, of: width, in: self.width)
        for channel in 0..<3 {
          func pixel(_ row: Int, _ column: Int) -> Double {
            Double(self.pixels[(row * self.width + column) * 3 + channel])
          }
          let upper = pixel(v.low, u.low) * (1 - u.weight) + pixel(v.low, u.high) * u.weight
          let lower = pixel(v.high, u.low) * (1 - u.weight) + pixel(v.high, u.high) * u.weight
          let value = upper * (1 - v.weight) + lower * v.weight
          pixels[(y * width + x) * 3 + channel] = UInt8(value.rounded())
        }
      }
    }
    return Image(width: width, height: height, pixels: pixels)
  }

  private func position(
    _ index: Int, of size: Int, in limit: Int
  ) -> (low: Int, high: Int, weight: Double) {
    let raw = (Double(index) + 0.5) * Double(limit) / Double(size) - 0.5
    let clamped = min(Double(limit - 1), max(0, raw))
    return (Int(clamped), min(Int(clamped) + 1, limit - 1), clamped - clamped.rounded(.down))
  }

  /// This image with `face` resized into `box`, whose edges are rounded to pixels.
  package func pasting(_ face: Image, into box: Box) -> Image {
    let (left, top) = (Int(box.left.rounded()), Int(box.top.rounded()))
    let width = max(1, Int(box.right.rounded()) - left)
    let height = max(1, Int(box.bottom.rounded()) - top)
    var result = self
    result.draw(face.resized(width: width, height: height), x: left, y: top)
    return result
  }
}
