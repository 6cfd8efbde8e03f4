import TensorCore

/// A picture of numbers: each a square whose colour goes from black by red and yellow to white.
package struct HeatMap: Sendable {
  /// Squares across and down.
  package let columns: Int
  package let rows: Int
  private let shares: [Double]
  /// Pixels of a square's side.
  private let side: Int

  /// - Parameters:
  ///   - values: row by row.
  ///   - greatest: what is white; the greatest value where nil.
  package init(
    rows: Int, columns: Int, values: [Double], greatest: Double? = nil, side: Int = 4
  ) {
    precondition(values.count == rows * columns && side > 0)
    self.rows = rows
    self.columns = columns
    self.side = side
    let top = greatest ?? values.max() ?? 0
    shares = values.map { $0.isFinite && top > 0 ? min(max($0 / top, 0), 1) : 0 }
  }

  package var image: Image {
    var pixels = [UInt8](repeating: 0, count: rows * side * columns * side * 3)
    for row in 0..<rows * side {
      for column in 0..<columns * side {
        let colour = HeatMap.colour(shares[row / side * columns + column / side])
        let start = (row * columns * side + column) * 3
        for channel in 0..<3 { pixels[start + channel] = colour[channel] }
      }
    }
    return Image(width: columns * side, height: rows * side, pixels: pixels)
  }

  /// Red, then green, then blue comes up, each over a third.
  static func colour(_ share: Double) -> [UInt8] {
    (0..<3).map { channel in
      UInt8((min(max(share * 3 - Double(channel), 0), 1) * 255).rounded())
    }
  }
}
