import Foundation

/// How near a picture is to what it should be, values in [0, 1].
package struct PictureQuality: Sendable {
  /// 10·log₁₀(1 / MSE), in decibels; infinite for equal pictures.
  package let psnr: Double
  /// The mean of structural similarity over points and channels: a Gaussian window of 11×11 with deviation
  /// 1.5, K₁ 0.01, K₂ 0.03, and only where the window lies inside. NaN for pictures below 11×11.
  package let ssim: Double

  /// Both pictures have the same size.
  package init(_ picture: DeepImage, against target: DeepImage) {
    precondition(picture.width == target.width && picture.height == target.height)
    let (a, b) = (picture.planes.map(Double.init), target.planes.map(Double.init))
    var squares = 0.0
    for (x, y) in zip(a, b) { squares += (x - y) * (x - y) }
    psnr = squares == 0 ? .infinity : 10 * log10(Double(a.count) / squares)
    let area = picture.width * picture.height
    guard picture.width >= Self.window.count, picture.height >= Self.window.count else {
      ssim = .nan
      return
    }
    var sum = 0.0
    for channel in 0..<3 {
      let range = channel * area..<(channel + 1) * area
      sum += Self.similarity(
        Array(a[range]), Array(b[range]), width: picture.width, height: picture.height)
    }
    ssim = sum / 3
  }

  private static let window: [Double] = {
    let weights = (-5...5).map { exp(-Double($0 * $0) / 4.5) }
    let sum = weights.reduce(0, +)
    return weights.map { $0 / sum }
  }()

  private static func similarity(
    _ a: [Double], _ b: [Double], width: Int, height: Int
  ) -> Double {
    func products(_ x: [Double], _ y: [Double]) -> [Double] {
      var values = x
      for index in values.indices { values[index] *= y[index] }
      return values
    }
    let (meanA, meanB) = (
      blurred(a, width: width, height: height), blurred(b, width: width, height: height)
    )
    let aa = blurred(products(a, a), width: width, height: height)
    let bb = blurred(products(b, b), width: width, height: height)
    let ab = blurred(products(a, b), width: width, height: height)
    let (c1, c2) = (0.01 * 0.01, 0.03 * 0.03)
    var sum = 0.0
    for index in meanA.indices {
      let (x, y) = (meanA[index], meanB[index])
      let (va, vb, vab) = (aa[index] - x * x, bb[index] - y * y, ab[index] - x * y)
      sum += (2 * x * y + c1) * (2 * vab + c2) / ((x * x + y * y + c1) * (va + vb + c2))
    }
    return sum / Double(meanA.count)
  }

  /// Points whose window lies inside.
  private static func blurred(_ values: [Double], width: Int, height: Int) -> [Double] {
    let (columns, rows) = (width - window.count + 1, height - window.count + 1)
    var narrow = [Double](repeating: 0, count: height * columns)
    for y in 0..<height {
      for x in 0..<columns {
        var sum = 0.0
        for (offset, weight) in window.enumerated() {
          sum += weight * values[y * width + x + offset]
        }
        narrow[y * columns + x] = sum
      }
    }
    var result = [Double](repeating: 0, count: rows * columns)
    for y in 0..<rows {
      for x in 0..<columns {
        var sum = 0.0
        for (offset, weight) in window.enumerated() {
          sum += weight * narrow[(y + offset) * columns + x]
        }
        result[y * columns + x] = sum
      }
    }
    return result
  }
}
