import Foundation
import MediaIO
import TensorCore
import Testing

@Suite struct ImageTests {
  /// The image of a file of these bytes.
  private func image(_ bytes: [UInt8]) throws -> Image {
    let scratch = try Scratch()
    return try Image(contentsOf: scratch.write(bytes, "image.png"))
  }

  /// The bytes of an image's file.
  private func png(_ image: Image) throws -> [UInt8] {
    let scratch = try Scratch()
    try image.writePNG(to: scratch.path("image.png"))
    return [UInt8](try Data(contentsOf: scratch.folder.appending(path: "image.png")))
  }

  private func code(_ bytes: [UInt8]) -> ModelError.Code? {
    #expect(throws: ModelError.self) { _ = try image(bytes) }?.code
  }

  /// The check that ends a chunk, of its kind and data.
  private func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum = ~UInt32(0)
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0xEDB8_8320 : sum >> 1 }
    }
    return ~sum
  }

  private func gradient(_ width: Int, _ height: Int) -> Image {
    Image(
      width: width, height: height,
      pixels: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 7) })
  }

  @Test(arguments: [1, 2, 17, 256])
  func aWrittenImageReadsBack(side: Int) throws {
    let image = gradient(side, side + 1)
    #expect(try self.image(png(image)) == image)
    #expect(try png(image) == png(image))
  }

  @Test func theGoldenFacesPixelsAreTheTrainers() throws {
    let image = try Image(contentsOf: Golden.path("face.png"))
    #expect(image.width == 256 && image.height == 256)
    let box = try Box(left: 70, top: 75, right: 180, bottom: 185)
    try box.check(inside: image)
    let input = FaceCrop(image, box, size: 64).networkInput()
    let golden = try #require(Golden.arrays("face-64.npz")["faces"])
    #expect(input.count == golden.count)
    var worst = 0.0
    for (value, wanted) in zip(input, golden) { worst = max(worst, abs(Double(value) - wanted)) }
    #expect(worst < 1e-6, "the greatest difference is \(worst)")
  }

  @Test func everyTruncationIsFound() throws {
    let bytes = try png(gradient(9, 7))
    for length in 0..<bytes.count {
      #expect(code(Array(bytes[0..<length])) == .malformedInput, "\(length) bytes")
    }
  }

  @Test func everyFlippedByteIsFoundOrHarmless() throws {
    let image = gradient(9, 7)
    let bytes = try png(image)
    var found = 0
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 0x41
      do {
        #expect(try self.image(damaged) == image, "byte \(index)")
      } catch let error as ModelError {
        #expect(error.code == .malformedInput, "byte \(index)")
        found += 1
      }
    }
    #expect(found > bytes.count / 2)
  }

  @Test(arguments: [(0x7F00_0001, 1), (1, 16_385), (16_384, 16_384)])
  func hugeImagesAreRefusedBeforeAnyMemoryIsTaken(width: Int, height: Int) throws {
    var bytes = try png(gradient(1, 1))
    for (place, value) in [(16, width), (20, height)] {
      for byte in 0..<4 { bytes[place + byte] = UInt8(value >> (24 - 8 * byte) & 255) }
    }
    let check = Int(checksum(bytes[12..<29]))
    for byte in 0..<4 { bytes[29 + byte] = UInt8(check >> (24 - 8 * byte) & 255) }
    // libpng has a limit of its own, of a million along a side.
    #expect(code(bytes) == (width > 1_000_000 ? .malformedInput : .limitExceeded))
  }

  @Test func aBoxMustBeOneAndInside() throws {
    #expect(throws: ModelError.self) { try Box(left: 1, top: 0, right: 1, bottom: 4) }
    #expect(throws: ModelError.self) { try Box(left: .nan, top: 0, right: 1, bottom: 4) }
    let box = try Box(left: 0, top: 0, right: 11, bottom: 4)
    #expect(throws: ModelError.self) { try box.check(inside: gradient(10, 10)) }
  }

  @Test func pastingTouchesTheBoxOnly() throws {
    let photograph = gradient(8, 8)
    let face = Image(width: 2, height: 2, grey: 200)
    let pasted = photograph.pasting(face, into: try Box(left: 2, top: 4, right: 6, bottom: 8))
    for y in 0..<8 {
      for x in 0..<8 {
        let pixel = pasted.pixels[(y * 8 + x) * 3]
        let inside = x >= 2 && x < 6 && y >= 4
        #expect(pixel == (inside ? 200 : photograph.pixels[(y * 8 + x) * 3]))
      }
    }
  }

  @Test func aSheetHoldsEveryImage() {
    let sheet = Image.contactSheet(
      [UInt8](1...5).map { Image(width: 3, height: 2, grey: $0) }, columns: 2)
    #expect(sheet.width == 12 && sheet.height == 14)
    for value in UInt8(1)...5 { #expect(sheet.pixels.filter { $0 == value }.count == 18) }
  }

  @Test func framesAreCutToBytesTowardsZero() {
    let crop = FaceCrop(network: [-1, 0, 1], size: 1)
    #expect(crop.image.pixels == [255, 127, 0])
  }
}
