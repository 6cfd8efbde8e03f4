import Foundation
import TensorCore

/// The frames of a video: the PNG files of a folder, in the order of their names, numbers counted as
/// numbers.
package struct FrameFolder: Sendable {
  package let files: [String]

  package var count: Int { files.count }

  /// - Throws: `missing-input` where there is no such folder or no PNG in it, `limit-exceeded` beyond
  ///   ``MediaLimits``.
  package init(_ path: String) throws(ModelError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(.missingInput, "there is no folder '\(path)'")
    }
    guard isFolder.boolValue else {
      throw ModelError(.missingInput, "'\(path)' is a file; a folder of PNG frames is needed")
    }
    let names: [String]
    do { names = try FileManager.default.contentsOfDirectory(atPath: path) } catch {
      throw ModelError(.inputOutput, "'\(path)' cannot be read: \(error.localizedDescription)")
    }
    files = names.filter { $0.lowercased().hasSuffix(".png") && !$0.hasPrefix(".") }
      .sorted { $0.compare($1, options: .numeric) == .orderedAscending }
      .map { path + "/" + $0 }
    guard !files.isEmpty else {
      throw ModelError(.missingInput, "'\(path)' holds no frames (.png)")
    }
    guard files.count <= MediaLimits.frames else {
      throw ModelError(
        .limitExceeded, "'\(path)' holds \(files.count) frames; \(MediaLimits.frames) at most")
    }
  }

  package func frame(_ index: Int) throws(ModelError) -> Image {
    try Image(contentsOf: files[index])
  }
}
