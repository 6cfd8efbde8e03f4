import Foundation
import MediaIO
import TensorCore
import Testing

@Suite struct PictureFileTests {
  private func picture(_ depth: DeepImage.Depth) -> DeepImage {
    DeepImage(
      width: 6, height: 9, depth: depth,
      values: (0..<6 * 9 * 3).map { UInt16($0 * 397 % (depth.maximum + 1)) })
  }

  @Test(arguments: [DeepImage.Depth.eight, .sixteen])
  func rowsComeAndGoInStripes(depth: DeepImage.Depth) throws {
    let scratch = try Scratch()
    let picture = picture(depth)
    func rows(_ range: Range<Int>) -> [UInt16] {
      Array(picture.values[range.lowerBound * 18..<range.upperBound * 18])
    }
    let writer = try PictureWriter(scratch.path("a.png"), width: 6, height: 9, depth: depth)
    for range in [0..<4, 4..<5, 5..<9] {
      #expect(!writer.isWhole && !FileManager.default.fileExists(atPath: scratch.path("a.png")))
      try writer.write(
        DeepImage(width: 6, height: range.count, depth: depth, values: rows(range)))
    }
    #expect(writer.isWhole)
    let file = try PictureFile(scratch.path("a.png"))
    #expect(file.width == 6 && file.height == 9 && file.depth == depth)
    let reader = try file.reader()
    for range in [0..<5, 3..<7, 3..<7, 6..<9] {
      let read = try reader.read(range)
      #expect(read.values == rows(range) && read.height == range.count)
    }
  }

  @Test func aFileThatWasNotFinishedIsNotThere() throws {
    let scratch = try Scratch()
    do {
      let writer = try PictureWriter(scratch.path("a.png"), width: 6, height: 18, depth: .eight)
      try writer.write(picture(.eight))
    }
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("")).isEmpty)
    let error = #expect(throws: ModelError.self) {
      try picture(.eight).writePNG(to: scratch.path("none/a.png"))
    }
    #expect(error?.code == .cannotCreate)
  }

  @Test func aPictureWhoseNameIsTakenMeanwhileLeavesNothing() throws {
    let scratch = try Scratch()
    let path = scratch.path("a.png")
    func write() throws {
      let writer = try PictureWriter(path, width: 6, height: 9, depth: .eight)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      try writer.write(picture(.eight))
    }
    let error = #expect(throws: ModelError.self) { try write() }
    #expect(error?.code == .cannotCreate)
    #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path("")) == ["a.png"])
  }

  @Test func writingTouchesNoOtherFile() throws {
    let scratch = try Scratch()
    for name in ["a.png.partial", "a.wav.part"] {
      try Data("own".utf8).write(to: URL(filePath: scratch.path(name)))
    }
    try picture(.eight).writePNG(to: scratch.path("a.png"))
    try Recording(samples: [0, 0.5], rate: 8000).write(to: scratch.path("a.wav"))
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: scratch.path("")).sorted()
        == ["a.png", "a.png.partial", "a.wav", "a.wav.part"])
    #expect(try String(contentsOfFile: scratch.path("a.png.partial"), encoding: .utf8) == "own")
  }

  /// Palette, grey of four bits, grey and colour with transparency, 16 bits, and interlaced ones: what Pillow
  /// and numpy say of them.
  @Test(arguments: ["palette", "grey-4", "grey-alpha", "colour-alpha", "deep-alpha", "interlaced"])
  func everyKindOfFileIsRead(name: String) throws {
    let file = try PictureFile(Golden.path("kinds/\(name).png"))
    let wanted = try #require(Golden.arrays("kinds/pixels.npz")[name])
    let reader = try file.reader()
    var values: [UInt16] = []
    for row in 0..<file.height { values += try reader.read(row..<row + 1).values }
    #expect(values.map(Double.init) == wanted)
    #expect(file.depth == (name == "deep-alpha" ? .sixteen : .eight))
  }

  @Test func whatBecameAnotherPictureIsRefused() throws {
    let scratch = try Scratch()
    try picture(.eight).writePNG(to: scratch.path("a.png"))
    let file = try PictureFile(scratch.path("a.png"))
    try picture(.sixteen).writePNG(to: scratch.path("a.png"))
    let error = #expect(throws: ModelError.self) { try file.reader() }
    #expect(error?.code == .inputOutput)
  }
}
