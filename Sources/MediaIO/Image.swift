import TensorCore

/// A picture of 8-bit red, green and blue, row by row.
package struct Image: Sendable, Equatable {
  package let width: Int
  package let height: Int
  /// `width · height · 3` bytes.
  package private(set) var pixels: [UInt8]

  package init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(pixels.count == width * height * 3, "\(pixels.count) bytes do not fill the image")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  package init(width: Int, height: Int, grey: UInt8) {
    self.init(
      width: width, height: height, pixels: [UInt8](repeating: grey, count: width * height * 3))
  }

  /// - Throws: `limit-exceeded` beyond ``MediaLimits``, `malformed-input` for no pixels at all.
  static func checkSize(width: Int, height: Int) throws(ModelError) {
    guard width > 0, height > 0 else {
      throw ModelError(.malformedInput, "an image of \(width)×\(height) has no pixels")
    }
    guard width <= MediaLimits.side, height <= MediaLimits.side,
      width * height <= MediaLimits.pixels
    else {
      throw ModelError(.limitExceeded, "an image of \(width)×\(height) is too large")
    }
  }

  /// Draws `image` with its upper left corner at (`x`, `y`); what falls outside is dropped.
  package mutating func draw(_ image: Image, x: Int, y: Int) {
    let columns = max(0, -x)..<max(max(0, -x), min(image.width, width - x))
    for row in 0..<image.height where y + row >= 0 && y + row < height {
      for column in columns {
        let (from, to) = ((row * image.width + column) * 3, ((y + row) * width + x + column) * 3)
        for channel in 0..<3 { pixels[to + channel] = image.pixels[from + channel] }
      }
    }
  }

  /// Several images of one size, in rows of `columns`, on mid-grey.
  package static func contactSheet(_ images: [Image], columns: Int, gap: Int = 2) -> Image {
    precondition(!images.isEmpty && columns > 0)
    let (width, height) = (images[0].width, images[0].height)
    let rows = (images.count + columns - 1) / columns
    let used = min(columns, images.count)
    var sheet = Image(
      width: used * (width + gap) + gap, height: rows * (height + gap) + gap, grey: 127)
    for (index, image) in images.enumerated() {
      sheet.draw(
        image, x: gap + index % columns * (width + gap), y: gap + index / columns * (height + gap))
    }
    return sheet
  }
}
