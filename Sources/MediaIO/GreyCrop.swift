import TensorCore

/// Part of a picture in shades of grey, as Pillow crops, resizes (bilinear, widened where it shrinks) and
/// turns colours to grey: everything in bytes, each step rounded as Pillow rounds it.
package struct GreyCrop: Sendable {
  package let size: Int
  /// `size · size` bytes.
  package let pixels: [UInt8]

  /// Columns and rows of the picture, which lie inside it.
  package init(_ image: Image, columns: Range<Int>, rows: Range<Int>, size: Int) {
    let across = GreyCrop.taps(columns.count, size)
    let down = GreyCrop.taps(rows.count, size)
    var narrow = [UInt8](repeating: 0, count: rows.count * size * 3)
    for (y, row) in rows.enumerated() {
      for (x, tap) in across.enumerated() {
        for channel in 0..<3 {
          var sum = GreyCrop.half
          for (offset, weight) in tap.weights.enumerated() {
            let column = columns.lowerBound + tap.first + offset
            sum += Int(image.pixels[(row * image.width + column) * 3 + channel]) * weight
          }
          narrow[(y * size + x) * 3 + channel] = GreyCrop.byte(sum)
        }
      }
    }
    var grey = [UInt8](repeating: 0, count: size * size)
    for (y, tap) in down.enumerated() {
      for x in 0..<size {
        var sums = (GreyCrop.half, GreyCrop.half, GreyCrop.half)
        for (offset, weight) in tap.weights.enumerated() {
          let from = ((tap.first + offset) * size + x) * 3
          sums.0 += Int(narrow[from]) * weight
          sums.1 += Int(narrow[from + 1]) * weight
          sums.2 += Int(narrow[from + 2]) * weight
        }
        let (red, green, blue) = (
          Int(GreyCrop.byte(sums.0)), Int(GreyCrop.byte(sums.1)), Int(GreyCrop.byte(sums.2))
        )
        grey[y * size + x] = UInt8((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16)
      }
    }
    self.size = size
    pixels = grey
  }

  private static let precision = 22
  private static let half = 1 << (precision - 1)

  private static func byte(_ sum: Int) -> UInt8 { UInt8(min(255, max(0, sum >> precision))) }

  private struct Tap {
    let first: Int
    let weights: [Int]
  }

  /// Triangles as wide as a step where it shrinks, and two pixels where it grows.
  private static func taps(_ length: Int, _ size: Int) -> [Tap] {
    let scale = Double(length) / Double(size)
    let support = max(scale, 1)
    return (0..<size).map { index in
      let centre = (Double(index) + 0.5) * scale
      let first = max(0, Int(centre - support + 0.5))
      let end = min(length, Int(centre + support + 0.5))
      let raw = (first..<end).map { max(0, 1 - abs((Double($0) - centre + 0.5) / support)) }
      let sum = raw.reduce(0, +)
      return Tap(
        first: first,
        weights: raw.map { Int(0.5 + $0 / (sum == 0 ? 1 : sum) * Double(1 << precision)) })
    }
  }
}
