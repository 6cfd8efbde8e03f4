import MediaIO
import TensorCore

extension AudioLipMemory {
  /// One sample for each video frame, 25 a second: its window of speech, and the face with its lower
  /// half masked beside the whole of it.
  @Sendable package static func prepare(
    _ model: FamilyModel, _ media: MediaInputs
  ) throws(ModelError) -> PreparedMedia {
    let roles = try Roles(model.parts[0])
    let mel = try MelSpectrogram(try media.requireRecording())
    let starts = mel.windowStarts()
    var face: [Float] = []
    if let picture = roles.faces == nil ? media.picture : try media.requirePicture() {
      let box = media.box ?? .whole(picture)
      try box.check(inside: picture)
      if roles.faces != nil { face = FaceCrop(picture, box, size: roles.faceSize).networkInput() }
    }
    return PreparedMedia(count: starts.count) { [face] (indices) throws(ModelError) in
      var inputs = [
        roles.audio: Tensor(
          try Shape([
            indices.count, 1, MelSpectrogram.bands, MelSpectrogram.windowColumns,
          ]), indices.flatMap { mel.window(at: starts[$0]) })
      ]
      if let faces = roles.faces {
        inputs[faces] = Tensor(
          try Shape([indices.count, 6, roles.faceSize, roles.faceSize]),
          indices.flatMap { _ in face })
      }
      return inputs
    }
  }

  /// Each frame as a picture, put back where the face was if a box said where.
  @Sendable package static func pictures(
    _ model: FamilyModel, _ outputs: [String: Tensor], _ media: MediaInputs
  ) throws(ModelError) -> [Image] {
    let roles = try Roles(model.parts[0])
    guard let frames = outputs[roles.frames] else {
      throw ModelError(.missingInput, "there is no output '\(roles.frames)'")
    }
    let size = roles.faceSize
    let area = 3 * size * size
    let values = frames.dequantized().floats()
    return (0..<values.count / area).map { index in
      let face = FaceCrop(network: values[index * area..<(index + 1) * area], size: size).image
      guard let picture = media.picture, let box = media.box else { return face }
      return picture.pasting(face, into: box)
    }
  }
}
