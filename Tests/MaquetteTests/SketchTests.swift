import Foundation
import Maquette
import OnnxFormat
import TensorCore
import Testing

/// Calibrations that go on from a sketch.
@Suite final class SketchTests: FolderTests {
  private static let model = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden/exports/classifier-d1.onnx").standardized.path()

  /// A folder of samples, each known by its number.
  private func samples(_ numbers: Range<Int>, in name: String) throws -> String {
    let folder = path(name)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for number in numbers {
      let values = (0..<24).map { (index: Int) -> Float in
        Float((index * 7919 + number * 104_729) % 1009) / 250 - 2
      }
      try NumpyArchive.write(
        [(name: "x", tensor: Tensor(try Shape([3, 8]), values))],
        path: "\(folder)/set_\(number).npz")
    }
    return folder
  }

  private func convert(
    _ folder: String, sketch: String? = nil, noise: Double? = nil
  ) throws -> Data {
    var conversion = Conversion(model: Self.model, output: path("made.maq"))
    conversion.precision = .int8
    conversion.calibration = folder
    conversion.sketch = sketch
    conversion.weightNoise = noise
    conversion.keepsGoldens = false
    _ = try conversion.run()
    return try Data(contentsOf: URL(filePath: path("made.maq")))
  }

  @Test func aBundleIsTheSameInOneGoAndInSeveral() throws {
    let whole = try convert(samples(0..<9, in: "whole"), noise: 0.5)
    let parts = try [
      samples(0..<4, in: "first"), samples(4..<6, in: "second"), samples(6..<9, in: "third"),
    ]
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
      let sketch = path("sketch-\(order)")
      let made = try order.map { try convert(parts[$0], sketch: sketch, noise: 0.5) }
      #expect(made[2] == whole, "\(order)")
      #expect(made[0] != whole && made[1] != whole)
    }
  }

  @Test func aSketchWithoutWhatIsNeededIsRefused() throws {
    let (folder, sketch) = (try samples(0..<3, in: "samples"), path("sketch"))
    _ = try convert(folder, sketch: sketch, noise: 0)
    let error = #expect(throws: ModelError.self) { try convert(folder, sketch: sketch) }
    #expect(error?.code == .invalidValue && error?.message.contains("Q66") ?? false)
    _ = try convert(folder, sketch: sketch, noise: 0)
  }

  @Test(arguments: [("UEsDB", "AAAAA"), (#""drawn":["#, #""drawn":[7,"#)])
  func aDamagedSketchIsRefused(old: String, new: String) throws {
    let (folder, sketch) = (try samples(0..<3, in: "samples"), path("sketch"))
    _ = try convert(folder, sketch: sketch)
    let text = try String(contentsOfFile: sketch, encoding: .utf8)
    #expect(text.contains(old))
    try text.replacingOccurrences(of: old, with: new)
      .write(toFile: sketch, atomically: true, encoding: .utf8)
    let error = #expect(throws: ModelError.self) { try convert(folder, sketch: sketch) }
    #expect(error?.code == .malformedInput)
  }
}
