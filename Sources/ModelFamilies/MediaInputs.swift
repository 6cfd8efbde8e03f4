import MediaIO
import TensorCore

/// The media that a family's inputs are made of.
package struct MediaInputs: Sendable {
  package var recording: Recording?
  /// A face.
  package var picture: Image?
  /// Where the face is in the picture; all of it where nil.
  package var box: Box?
  package var text: String?
  package var video: FrameFolder?
  /// A photograph of any depth, and what it should be.
  package var image: PictureFile?
  package var clean: PictureFile?
  /// What was chosen for the run, by the names of the family's options.
  package var options: [String: String]

  package init(
    recording: Recording? = nil, picture: Image? = nil, box: Box? = nil, text: String? = nil,
    video: FrameFolder? = nil, image: PictureFile? = nil, clean: PictureFile? = nil,
    options: [String: String] = [:]
  ) {
    self.recording = recording
    self.picture = picture
    self.box = box
    self.text = text
    self.video = video
    self.image = image
    self.clean = clean
    self.options = options
  }

  package func requireRecording() throws(ModelError) -> Recording {
    guard let recording else {
      throw ModelError(.missingInput, "a recording is needed: WAV, FLAC or Ogg")
    }
    return recording
  }

  package func requirePicture() throws(ModelError) -> Image {
    guard let picture else { throw ModelError(.missingInput, "a picture of a face is needed: PNG") }
    return picture
  }

  package func requireVideo() throws(ModelError) -> FrameFolder {
    guard let video else {
      throw ModelError(.missingInput, "a video is needed: a folder of PNG frames")
    }
    return video
  }

  package func requireImage() throws(ModelError) -> PictureFile {
    guard let image else { throw ModelError(.missingInput, "a picture is needed: PNG") }
    return image
  }

  /// A text with something in it.
  package func requireText() throws(ModelError) -> String {
    guard let text else { throw ModelError(.missingInput, "a text is needed") }
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw ModelError(.invalidValue, "the text is empty")
    }
    return text
  }

  /// A choice that is on or off; off where nothing was said.
  package func flag(_ name: String) throws(ModelError) -> Bool {
    switch options[name] {
    case nil, "no", "false": return false
    case "yes", "true", "": return true
    case let other?:
      throw ModelError(.usage, "option '\(name)' is yes or no, not '\(other)'")
    }
  }

  /// A choice that is a number within `range`.
  package func number(
    _ name: String, in range: ClosedRange<Double>
  ) throws(ModelError) -> Double? {
    guard let text = options[name] else { return nil }
    guard let value = Double(text), range.contains(value) else {
      throw ModelError(
        .usage,
        "option '\(name)' is a number from \(range.lowerBound) to \(range.upperBound), not '\(text)'"
      )
    }
    return value
  }
}

/// Inputs that are made a few samples at a time, so that long recordings take little memory.
package struct PreparedMedia: Sendable {
  /// Samples (video frames) in all.
  package let count: Int
  /// The inputs, by port name, for the samples with these indices.
  package let inputs: @Sendable ([Int]) throws(ModelError) -> [String: Tensor]

  package init(
    count: Int, inputs: @escaping @Sendable ([Int]) throws(ModelError) -> [String: Tensor]
  ) {
    self.count = count
    self.inputs = inputs
  }

  /// Up to `limit` sample indices, evenly spread.
  package func spread(_ limit: Int) -> [Int] {
    guard count > limit else { return Array(0..<count) }
    return (0..<limit).map { ($0 * 2 + 1) * count / (limit * 2) }
  }
}
