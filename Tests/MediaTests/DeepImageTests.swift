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
    let folder = try Scratch()
    try image.writePNG(to: folder.path("picture.png"))
    #expect(try DeepImage(contentsOf: folder.path("picture.png")) == image)
    #expect(DeepImage(image.planes, depth: depth) == image)
    #expect(image.image.width == 7)
  }

  @Test func planesOutsideAreClamped() {
    let planes = ImagePlanes(
      channels: 3, height: 1, width: 2, values: [-1, 2, .nan, 0.5, 0.5, 0.5])
    #expect(DeepImage(planes, depth: .eight).values == [0, 0, 128, 255, 128, 128])
    let grey = ImagePlanes(channels: 1, height: 1, width: 1, values: [0.2])
    #expect(DeepImage(grey, depth: .eight).values == [51, 51, 51])
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

  @Test func framesComeInTheOrderOfTheirNumbers() throws {
    let folder = try Scratch()
    func expect(_ code: ModelError.Code, _ path: String) {
      let error = #expect(throws: ModelError.self) { try FrameFolder(path) }
      #expect(error?.code == code)
    }
    expect(.missingInput, folder.path("none"))
    expect(.missingInput, folder.path(""))
    for number in [10, 9, 1] {
      try Image(width: number, height: 1, grey: 0).writePNG(to: folder.path("\(number).png"))
    }
    let frames = try FrameFolder(folder.path(""))
    #expect(try (0..<frames.count).map { try frames.frame($0).width } == [1, 9, 10])
    expect(.missingInput, folder.path("1.png"))
  }
}
