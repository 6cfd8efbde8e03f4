import Foundation
import MediaIO
import TensorCore
import Testing

@Suite struct ImageTests {
  private func code(_ bytes: [UInt8]) -> ModelError.Code? {
    do {
      _ = try Image(png: bytes)
      return nil
    } catch { return error.code }
  }

  private func gradient(_ width: Int, _ height: Int) -> Image {
    Image(
      width: width, height: height,
      pixels: (0..<width * height * 3).map { UInt8(truncatingIfNeeded: $0 &* 7) })
  }

  @Test(arguments: [1, 2, 17, 256])
  func aWrittenImageReadsBack(side: Int) throws {
    let image = gradient(side, side + 1)
    #expect(try Image(png: image.png()) == image)
    #expect(try image.png() == image.png())
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
    let bytes = try gradient(9, 7).png()
    for length in 0..<bytes.count {
      #expect(code(Array(bytes[0..<length])) == .malformedInput, "\(length) bytes")
    }
  }

  @Test func everyFlippedByteIsFoundOrHarmless() throws {
    let image = gradient(9, 7)
    let bytes = try image.png()
    var found = 0
    for index in bytes.indices {
      var damaged = bytes
      damaged[index] ^= 0x41
      if let code = code(damaged) {
        #expect(code == .malformedInput || code == .limitExceeded, "byte \(index)")
        found += 1
      } else {
        #expect(try Image(png: damaged) == image, "byte \(index)")
      }
    }
    #expect(found > bytes.count / 2)
  }

  @Test func hugeImagesAreRefusedBeforeAnyMemoryIsTaken() throws {
    var bytes = try gradient(1, 1).png()
    bytes[16] = 0x7F
    #expect(code(bytes) == .limitExceeded)
    bytes[16] = 0
    bytes[18] = 0x40
    bytes[19] = 0x01
    #expect(code(bytes) == .limitExceeded)
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
