import Foundation
import Testing

/// Files of adapted tensors when writing them fails half way (`B45`).
@Suite final class SavedAdaptationTests {
  private let folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
  private let family = "golden/families/denoiser"
  private let image = "golden/media/photographs/held-out/coffee-noisy.png"

  init() throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: folder) }

  private func path(_ name: String) -> String { folder.appending(path: name).path() }
  private func bytes(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: path(name)))
  }

  private func adaptation(saving name: String, to file: String) -> [String] {
    [
      "adapt", path("base.maq"), "--image", image, "--output", path("clean.png"), "--preset",
      "all_soft", "--steps", "2", "--save", file, "--name", name,
    ]
  }

  @Test func whatWasThereStaysWhole() throws {
    let made = try Program.run([
      "convert", "\(family)/restoration-d3.onnx", "--part", "mask=\(family)/mask-d3.onnx", "-o",
      path("base.maq"),
    ])
    try #require(made.status == 0, "\(made.errors)")
    let base = try bytes("base.maq")

    // Nothing can be created there.
    let refused = try Program.run(adaptation(saving: "first", to: "/nowhere/at/all.adapted"))
    #expect(refused.status != 0)
    #expect(refused.errors.contains("cannot-create"), "\(refused.errors)")

    let saved = try Program.run(adaptation(saving: "first", to: path("kept.adapted")))
    try #require(saved.status == 0, "\(saved.errors)")
    let kept = try bytes("kept.adapted")
    // The system ends the program when a file becomes longer than the picture and shorter than the tensors.
    let limit = 64 << 10
    #expect(try bytes("clean.png").count < limit)
    #expect(kept.count > 2 * limit)
    let killed = try Program.run(
      adaptation(saving: "second", to: path("kept.adapted")), fileByteLimit: limit)
    #expect(killed.status != 0)
    #expect(try bytes("kept.adapted") == kept)
    #expect(try bytes("base.maq") == base)
    let listed = try Program.run(["adapt", path("kept.adapted"), "--list"])
    #expect(listed.status == 0)
    #expect(listed.output.contains("first") && !listed.output.contains("second"))
    #expect(
      try Program.run([
        "run", path("base.maq"), "--image", image, "--adapted", path("kept.adapted"), "-o",
        path("run"),
      ]).status == 0)
  }
}
