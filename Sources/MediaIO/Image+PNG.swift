import CPng
import TensorCore

/// PNG files through libpng's simplified interface, which never jumps out of a call.
extension Image {
  /// Reads any PNG as red, green and blue. Values are those stored: colour profiles and gamma are not
  /// applied and transparency is dropped, as the trainers' image readers do.
  ///
  /// - Throws: `missing-input`; `malformed-input` for a file that is not PNG or is damaged;
  ///   `limit-exceeded` beyond ``MediaLimits``.
  package init(contentsOf path: String) throws(ModelError) {
    self = try during("reading image '\(path)'") { () throws(ModelError) in
      try Image(png: try MediaFile.read(path, maximum: MediaLimits.imageBytes))
    }
  }

  package init(png bytes: [UInt8]) throws(ModelError) {
    let essential = try Image.essentialChunks(of: bytes)
    self = try essential.bytes.withUnsafeBufferPointer { (file) throws(ModelError) in
      try Image(file, hasAlpha: essential.hasAlpha)
    }
  }

  /// - Parameter file: what libpng reads from, here and again when it unpacks the pixels.
  private init(_ file: UnsafeBufferPointer<UInt8>, hasAlpha: Bool) throws(ModelError) {
    var control = png_image()
    control.version = UInt32(PNG_IMAGE_VERSION)
    guard png_image_begin_read_from_memory(&control, file.baseAddress, file.count) != 0
    else { throw Image.failure(&control) }
    defer { png_image_free(&control) }
    let (width, height) = (Int(control.width), Int(control.height))
    try Image.checkSize(width: width, height: height)
    let channels = hasAlpha ? 4 : 3
    control.format = UInt32(PNG_FORMAT_FLAG_COLOR) | (hasAlpha ? Image.alphaFlag : 0)
    control.flags |= UInt32(PNG_IMAGE_FLAG_16BIT_sRGB)
    var pixels = [UInt8](repeating: 0, count: width * height * channels)
    guard
      png_image_finish_read(&control, nil, &pixels, Int32(width * channels), nil) != 0,
      control.warning_or_error & 2 == 0
    else { throw Image.failure(&control) }
    if channels == 4 {
      var opaque = [UInt8](repeating: 0, count: width * height * 3)
      for pixel in 0..<width * height {
        for channel in 0..<3 { opaque[pixel * 3 + channel] = pixels[pixel * 4 + channel] }
      }
      pixels = opaque
    }
    self.init(width: width, height: height, pixels: pixels)
  }

  package func writePNG(to path: String) throws(ModelError) {
    try MediaFile.write(try png(), to: path)
  }

  package func png() throws(ModelError) -> [UInt8] {
    var control = png_image()
    control.version = UInt32(PNG_IMAGE_VERSION)
    control.width = UInt32(width)
    control.height = UInt32(height)
    control.format = UInt32(PNG_FORMAT_FLAG_COLOR)
    defer { png_image_free(&control) }
    // libpng's bound on what the image can take, so that one call suffices.
    var count = pixels.count + pixels.count / 8 + height * 8 + 4096
    var bytes = [UInt8](repeating: 0, count: count)
    guard png_image_write_to_memory(&control, &bytes, &count, 0, pixels, Int32(width * 3), nil) != 0
    else { throw Image.failure(&control) }
    return Array(bytes[0..<count])
  }

  private static var alphaFlag: UInt32 { UInt32(PNG_FORMAT_FLAG_ALPHA) }

  fileprivate static func failure(_ control: inout png_image) -> ModelError {
    let message = withUnsafeBytes(of: &control.message) { text in
      String(decoding: text.prefix { $0 != 0 }, as: UTF8.self)
    }
    png_image_free(&control)
    return ModelError(.malformedInput, "not a readable PNG image: \(message)")
  }

  /// The signature with the header, palette, image data and end: what pixels depend on. Sizes are
  /// checked here, before libpng sees the file.
  fileprivate static func essentialChunks(
    of bytes: [UInt8]
  ) throws(ModelError) -> (bytes: [UInt8], hasAlpha: Bool) {
    let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    guard bytes.starts(with: signature) else {
      throw ModelError(.malformedInput, "the file is not a PNG image")
    }
    func number(_ offset: Int) -> Int {
      Int(bytes[offset]) << 24 | Int(bytes[offset + 1]) << 16 | Int(bytes[offset + 2]) << 8
        | Int(bytes[offset + 3])
    }
    var kept = signature
    var hasAlpha = false
    var offset = signature.count
    while offset < bytes.count {
      guard bytes.count - offset >= 12, bytes.count - offset - 12 >= number(offset) else {
        throw ModelError(.malformedInput, "the PNG image is truncated at byte \(offset)")
      }
      let end = offset + 12 + number(offset)
      let kind = String(decoding: bytes[offset + 4..<offset + 8], as: UTF8.self)
      if offset == signature.count {
        guard kind == "IHDR", end - offset == 25 else {
          throw ModelError(.malformedInput, "the PNG image does not begin with its header")
        }
        try checkSize(width: number(offset + 8), height: number(offset + 12))
        hasAlpha = bytes[offset + 17] & 4 != 0
      }
      if ["IHDR", "PLTE", "IDAT", "IEND"].contains(kind) { kept += bytes[offset..<end] }
      if kind == "IEND" { return (kept, hasAlpha) }
      offset = end
    }
    throw ModelError(.malformedInput, "the PNG image is truncated: it has no end")
  }
}

extension DeepImage {
  /// Reads any PNG with the depth that it has: 16 bits where it has them, else 8. Values are those
  /// stored. Transparency is dropped at 8 bits.
  ///
  /// - Throws: as ``Image``; `unsupported-feature` for 16 bits with transparency.
  package init(contentsOf path: String) throws(ModelError) {
    self = try during("reading image '\(path)'") { () throws(ModelError) in
      try DeepImage(png: try MediaFile.read(path, maximum: MediaLimits.imageBytes))
    }
  }

  package init(png bytes: [UInt8]) throws(ModelError) {
    let essential = try Image.essentialChunks(of: bytes)
    guard essential.bytes[24] == 16 else {
      let image = try Image(png: bytes)
      self.init(
        width: image.width, height: image.height, depth: .eight,
        values: image.pixels.map(UInt16.init))
      return
    }
    guard !essential.hasAlpha else {
      throw ModelError(.unsupportedFeature, "a PNG image of 16 bits with transparency")
    }
    var control = png_image()
    control.version = UInt32(PNG_IMAGE_VERSION)
    var (width, height) = (0, 0)
    var values: [UInt16] = []
    try essential.bytes.withUnsafeBufferPointer { (file) throws(ModelError) in
      guard png_image_begin_read_from_memory(&control, file.baseAddress, file.count) != 0
      else { throw Image.failure(&control) }
      defer { png_image_free(&control) }
      (width, height) = (Int(control.width), Int(control.height))
      try Image.checkSize(width: width, height: height)
      // Without a colour space 16 bits are taken as linear, and asked for as linear they stay as stored.
      control.format = UInt32(PNG_FORMAT_FLAG_COLOR) | UInt32(PNG_FORMAT_FLAG_LINEAR)
      values = [UInt16](repeating: 0, count: width * height * 3)
      guard
        png_image_finish_read(&control, nil, &values, Int32(width * 3), nil) != 0,
        control.warning_or_error & 2 == 0
      else { throw Image.failure(&control) }
    }
    self.init(width: width, height: height, depth: .sixteen, values: values)
  }

  package func writePNG(to path: String) throws(ModelError) {
    try MediaFile.write(try png(), to: path)
  }

  package func png() throws(ModelError) -> [UInt8] {
    guard depth == .sixteen else {
      return try Image(width: width, height: height, pixels: values.map { UInt8($0) }).png()
    }
    var control = png_image()
    control.version = UInt32(PNG_IMAGE_VERSION)
    control.width = UInt32(width)
    control.height = UInt32(height)
    control.format = UInt32(PNG_FORMAT_FLAG_COLOR) | UInt32(PNG_FORMAT_FLAG_LINEAR)
    defer { png_image_free(&control) }
    var count = values.count * 2 + values.count / 4 + height * 8 + 4096
    var bytes = [UInt8](repeating: 0, count: count)
    guard png_image_write_to_memory(&control, &bytes, &count, 0, values, Int32(width * 3), nil) != 0
    else { throw Image.failure(&control) }
    // What libpng says of the colours is not so: they are what they were, of no stated space.
    return try Image.essentialChunks(of: Array(bytes[0..<count])).bytes
  }
}
