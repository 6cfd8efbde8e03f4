import Foundation
import MediaIO
import ModelFamilies
import TensorCore

/// The media that a run is asked for, as files.
package struct MediaRequest: Sendable {
  package var audio: String?
  package var text: String?
  package var face: String?
  /// A folder of PNG frames.
  package var video: String?
  package var image: String?
  /// What `image` should be.
  package var clean: String?
  /// Where the face is in the picture.
  package var box: Box?
  /// Choices by the names of the family's options.
  package var options: [String: String] = [:]

  package init() {}

  /// The media that were given.
  var given: [ModelFamily.Medium] {
    let files: [(ModelFamily.Medium, String?)] = [
      (.audio, audio), (.text, text), (.face, face), (.video, video), (.image, image),
      (.clean, clean),
    ]
    return files.filter { $0.1 != nil }.map(\.0)
  }

  /// Reads them.
  ///
  /// - Throws: `usage` for media and options that the family has no use for.
  func load(for family: ModelFamily) throws(ModelError) -> MediaInputs {
    for medium in given where !family.media.contains(medium) {
      let wanted = family.media.map { "--\($0.rawValue)" }.joined(separator: ", ")
      throw ModelError(
        .usage, "the \(family.title) takes \(wanted), not --\(medium.rawValue)")
    }
    for name in options.keys.sorted() where !family.options.contains(where: { $0.name == name }) {
      let known = family.options.map(\.name)
      throw ModelError(
        .usage,
        "the \(family.title) has no option '\(name)'; it has "
          + (known.isEmpty ? "none" : known.joined(separator: ", ")))
    }
    var media = MediaInputs(box: box, text: text, options: options)
    if let audio { media.recording = try Recording(contentsOf: audio) }
    if let face { media.picture = try Image(contentsOf: face) }
    if let video { media.video = try FrameFolder(video) }
    if let image { media.image = try PictureFile(image) }
    if let clean { media.clean = try PictureFile(clean) }
    return media
  }

  /// Takes a recording or a picture that was given for an input of the graph by name.
  ///
  /// - Throws: `usage` for a second one, for a tensor, and where the name is that of another medium.
  mutating func take(
    _ file: String, as name: String, for family: ModelFamily
  ) throws(ModelError) {
    guard let kind = MediaKind(file) else {
      throw ModelError(.usage, "recordings and pictures do not mix with tensors: '\(file)'")
    }
    let medium: ModelFamily.Medium =
      kind == .recording ? .audio : family.media.contains(.image) ? .image : .face
    if let named = family.media.first(where: { name.hasPrefix($0.rawValue) }), named != medium {
      throw ModelError(.usage, "'\(file)' is no \(named.rawValue) for input '\(name)'")
    }
    guard !given.contains(medium) else {
      throw ModelError(.usage, "'\(file)' is a second \(medium.rawValue)")
    }
    switch medium {
    case .audio: audio = file
    case .image: image = file
    default: face = file
    }
  }
}

/// Files that are media rather than tensors, by their endings.
enum MediaKind {
  case recording, picture

  init?(_ path: String) {
    switch (path as NSString).pathExtension.lowercased() {
    case "wav", "flac", "ogg": self = .recording
    case "png": self = .picture
    default: return nil
    }
  }
}
