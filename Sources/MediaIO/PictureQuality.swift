import Foundation
import TensorCore

/// How near a picture is to what it should be, values in [0, 1]; both are given from the top, some rows at a time.
package struct PictureQuality: Sendable {
  private let width: Int
  private var rows = 0
  /// Of each channel.
  private var squares = [0.0, 0.0, 0.0]
  private var similarity = [0.0, 0.0, 0.0]
  /// The last rows of each channel, blurred along them.
  private var recent: [RowRing]

  package init(width: Int) {
    self.width = width
    recent = [RowRing](repeating: RowRing(columns: max(0, width - Self.window.count + 1)), count: 3)
  }

  /// Both pictures have the same size.
  package init(_ picture: DeepImage, against target: DeepImage) {
    self.init(width: picture.width)
    add(picture, against: target)
  }

  /// 10·log₁₀(1 / MSE), in decibels; infinite for equal pictures.
  package var psnr: Double {
    let sum = squares.reduce(0, +)
    return sum == 0 ? .infinity : 10 * log10(Double(3 * width * rows) / sum)
  }

  /// The mean of structural similarity over points and channels: a Gaussian window of 11×11 with deviation
  /// 1.5, K₁ 0.01, K₂ 0.03, and only where the window lies inside. NaN for pictures below 11×11.
  package var ssim: Double {
    let points = max(0, width - Self.window.count + 1) * max(0, rows - Self.window.count + 1)
    return points == 0 ? .nan : similarity.reduce(0, +) / Double(3 * points)
  }

  /// Takes the next rows of both.
  package mutating func add(_ picture: DeepImage, against target: DeepImage) {
    precondition(
      picture.width == width && target.width == width && picture.height == target.height)
    let (a, b) = (picture.planes.values, target.planes.values)
    var (x, y) = ([Double](repeating: 0, count: width), [Double](repeating: 0, count: width))
    for row in 0..<picture.height {
      for channel in 0..<3 {
        let start = (channel * picture.height + row) * width
        for column in 0..<width {
          x[column] = Double(a[start + column])
          y[column] = Double(b[start + column])
          squares[channel] += (x[column] - y[column]) * (x[column] - y[column])
        }
        recent[channel].add(x, y)
        if rows + 1 >= Self.window.count { similarity[channel] += recent[channel].similarity() }
      }
      rows += 1
    }
  }

  fileprivate static let window: [Double] = {
    let weights = (-5...5).map { exp(-Double($0 * $0) / 4.5) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }()
}

/// As many rows as a window is high, of both pictures, their squares and their product, blurred along the rows.
private struct RowRing: Sendable {
  private let columns: Int
  private var count = 0
  private var blurred: [[Double]]

  init(columns: Int) {
    self.columns = columns
    blurred = [[Double]](
      repeating: [Double](repeating: 0, count: PictureQuality.window.count * columns), count: 5)
  }

  mutating func add(_ x: [Double], _ y: [Double]) {
    guard columns > 0 else { return }
    let window = PictureQuality.window
    let place = count % window.count * columns
    count += 1
    var products = x
    for (kind, (a, b)) in [(x, nil), (y, nil), (x, x), (y, y), (x, y)].enumerated() {
      for index in a.indices { products[index] = b.map { a[index] * $0[index] } ?? a[index] }
      for column in 0..<columns {
        var sum = 0.0
        for (offset, weight) in window.enumerated() { sum += weight * products[column + offset] }
        blurred[kind][place + column] = sum
      }
    }
  }

  /// The sum over the points whose window ends at the last row.
  func similarity() -> Double {
    let window = PictureQuality.window
    let (c1, c2) = (0.01 * 0.01, 0.03 * 0.03)
    var total = 0.0
    var sums = [Double](repeating: 0, count: 5)
    for column in 0..<columns {
      for kind in 0..<5 {
        sums[kind] = 0
        for (offset, weight) in window.enumerated() {
          sums[kind] += weight * blurred[kind][(count + offset) % window.count * columns + column]
        }
      }
      let (x, y) = (sums[0], sums[1])
      let (va, vb, vab) = (sums[2] - x * x, sums[3] - y * y, sums[4] - x * y)
      total += (2 * x * y + c1) * (2 * vab + c2) / ((x * x + y * y + c1) * (va + vb + c2))
    }
    return total
  }
}
