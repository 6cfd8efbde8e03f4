import MediaIO
import TensorCore

/// The recording and the picture that a family's inputs are made of.
package struct MediaInputs: Sendable {
  package let recording: Recording?
  package let picture: Image?
  /// Where the face is in the picture; all of it where nil.
  package let box: Box?

  package init(recording: Recording? = nil, picture: Image? = nil, box: Box? = nil) {
    self.recording = recording
    self.picture = picture
    self.box = box
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
