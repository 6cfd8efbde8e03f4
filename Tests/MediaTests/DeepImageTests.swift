import Foundation
import MediaIO
import TensorCore
import Testing

@Suite struct DeepImageTests {
  static let folder = Golden.folder.appending(path: "photographs")

  private struct Quality: Decodable {
    let psnr: Double
    let ssim: Double
    let first: [Int]
    let last: [Int]
    let sum: Int
  }

  private func picture(_ name: String) throws -> DeepImage {
    try DeepImage(contentsOf: Self.folder.appending(path: "held-out/\(name).png").path())
  }

  @Test(arguments: [("chelsea", DeepImage.Depth.eight), ("coffee", .sixteen)])
  func valuesAreThoseStored(name: String, depth: DeepImage.Depth) throws {
    let data = try Data(contentsOf: Self.folder.appending(path: "quality.json"))
    let quality = try #require(JSONDecoder().decode([String: Quality].self, from: data)[name])
    let noisy = try picture(name + "-noisy")
    #expect(noisy.depth == depth)
    #expect(noisy.values.prefix(3).map(Int.init) == quality.first)
    #expect(noisy.values.suffix(3).map(Int.init) == quality.last)
    #expect(noisy.values.reduce(0) { $0 + Int($1) } == quality.sum)
    let measured = PictureQuality(noisy, against: try picture(name))
    #expect(abs(measured.psnr - quality.psnr) < 1e-4)
    #expect(abs(measured.ssim - quality.ssim) < 1e-5)
  }

  @Test(arguments: [DeepImage.Depth.eight, .sixteen])
  func writtenPicturesReadBack(depth: DeepImage.Depth) throws {
    let values = (0..<5 * 7 * 3).map { UInt16($0 * 911 % (depth.maximum + 1)) }
    let image = DeepImage(width: 7, height: 5, depth: depth, values: values)
    #expect(try DeepImage(png: try image.png()) == image)
    #expect(DeepImage(planes: image.planes, width: 7, height: 5, depth: depth) == image)
    #expect(image.image.width == 7)
  }

  @Test func planesOutsideAreClamped() {
    let planes: [Float] = [-1, 2, .nan, 0.5, 0.5, 0.5]
    let image = DeepImage(planes: planes, width: 2, height: 1, depth: .eight)
    #expect(image.values == [0, 0, 128, 255, 128, 128])
  }

  @Test func equalPicturesHaveNoDistance() throws {
    let image = try picture("coffee")
    let quality = PictureQuality(image, against: image)
    #expect(quality.psnr == .infinity)
    #expect(abs(quality.ssim - 1) < 1e-12)
    let small = DeepImage(
      width: 4, height: 4, depth: .eight, values: [UInt16](repeating: 9, count: 48))
    #expect(PictureQuality(small, against: small).ssim.isNaN)
  }

  @Test func sixteenBitsWithTransparencyAreRefused() throws {
    // IHDR of 1×1, 16 bits, colour with alpha; no data is ever looked at.
    var bytes: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    bytes +=
      [0, 0, 0, 13] + Array("IHDR".utf8) + [0, 0, 0, 1, 0, 0, 0, 1, 16, 6, 0, 0, 0, 0, 0, 0, 0]
    bytes += [0, 0, 0, 0] + Array("IEND".utf8) + [0, 0, 0, 0]
    let error = #expect(throws: ModelError.self) { try DeepImage(png: bytes) }
    #expect(error?.code == .unsupportedFeature)
  }

  @Test func framesComeInTheOrderOfTheirNumbers() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    func expect(_ code: ModelError.Code, _ path: String) {
      let error = #expect(throws: ModelError.self) { try FrameFolder(path) }
      #expect(error?.code == code)
    }
    expect(.missingInput, folder.path())
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    expect(.missingInput, folder.path())
    for number in [10, 9, 1] {
      try Image(width: number, height: 1, grey: 0)
        .writePNG(to: folder.appending(path: "\(number).png").path())
    }
    let frames = try FrameFolder(folder.path())
    #expect(try (0..<frames.count).map { try frames.frame($0).width } == [1, 9, 10])
    expect(.missingInput, folder.appending(path: "1.png").path())
  }
}
