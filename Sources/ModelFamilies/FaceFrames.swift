import MediaIO
import TensorCore

/// Draws frames: a part that takes one row for each video frame, and the face that all of them start from.
struct FaceFrames {
  let part: FamilyModel.Part
  /// Nil where the face is in the network.
  let face: FamilyModel.Port?
  let row: FamilyModel.Port
  let frames: FamilyModel.Port
  let size: Int
  let bound: TalkingFace.Bound
  private let input: [Float]
  private let media: MediaInputs

  /// Whether extents are those of faces, N×6×S×S.
  static func areFaces(_ extents: [Int?]) -> Bool {
    extents.count == 4 && extents[1] == 6 && extents[2] != nil && extents[2] == extents[3]
  }

  /// Whether extents are those of frames, N×3×S×S.
  private static func areFrames(_ extents: [Int?]) -> Bool {
    extents.count == 4 && extents[1] == 3 && extents[2] != nil && extents[2] == extents[3]
  }

  /// - Parameter isRow: the extents of the other input.
  init(
    _ part: FamilyModel.Part, _ media: MediaInputs, row what: String, _ isRow: ([Int?]) -> Bool
  ) throws(ModelError) {
    self.part = part
    self.media = media
    row = try part.port(part.inputs, what, isRow)
    frames = try part.port(part.outputs, "frames, N×3×S×S", FaceFrames.areFrames)
    size = frames.type.dimensions?[2].value ?? 0
    bound = FaceFrames.bound(of: part)
    guard part.inputs.count > 1 else {
      // The picture shows only where the frames go.
      face = nil
      input = []
      if let picture = media.picture { try media.box?.check(inside: picture) }
      return
    }
    let size = size
    face = try part.port(part.inputs, "faces, N×6×S×S") {
      FaceFrames.areFaces($0) && $0[2] == size
    }
    input = try FaceFrames.input(media, size: size, bound)
  }

  private static func bound(of part: FamilyModel.Part) -> TalkingFace.Bound {
    part.trait("colours") == TalkingFace.Bound.sigmoid.rawValue ? .sigmoid : .tanh
  }

  /// The face of the picture, as one row of the network's input.
  private static func input(
    _ media: MediaInputs, size: Int, _ bound: TalkingFace.Bound
  ) throws(ModelError) -> [Float] {
    let picture = try media.requirePicture()
    let box = media.box ?? .whole(picture)
    try box.check(inside: picture)
    return FaceCrop(picture, box, size: size).masked(bound)
  }

  /// The one row that a picture makes of an input of `part`; nil where that takes no picture.
  static func row(
    of port: FamilyModel.Port, _ part: FamilyModel.Part, _ media: MediaInputs
  ) throws(ModelError) -> Tensor? {
    guard let extents = port.type.dimensions?.map(\.value), areFaces(extents),
      let size = extents[2]
    else { return nil }
    return Tensor(
      try Shape([1, 6, size, size]), try input(media, size: size, bound(of: part)))
  }

  /// Rows `count` at a time; the last batch is filled up with its last row, so that one plan serves all.
  func draw(
    _ count: Int, on host: any FamilyHost,
    rows: ([Int]) throws(ModelError) -> Tensor
  ) throws(ModelError) {
    guard !host.isCalibrating else {
      let chosen = FaceFrames.spread(count, ModelFamily.calibrationSamples)
      for start in stride(from: 0, to: chosen.count, by: 2) {
        let indices = Array(chosen[start..<min(start + 2, chosen.count)])
        try host.feed(part, try inputs(indices, rows))
      }
      return
    }
    let batch = ModelFamily.batch
    for start in stride(from: 0, to: count, by: batch) {
      let indices = (start..<start + batch).map { min($0, count - 1) }
      let used = min(batch, count - start)
      let outputs = try host.run(part, try inputs(indices, rows))
      for picture in try pictures(outputs).prefix(used) { try host.show(.frame(picture)) }
      for port in part.outputs {
        guard let tensor = outputs[port.name] else { continue }
        try host.show(.rows(port.name, try tensor.prefix(used)))
      }
      host.progress(start + used, of: count)
    }
  }

  /// A frame for each vector.
  func draw(_ vectors: [[Float]], on host: any FamilyHost) throws(ModelError) {
    let shape = row.type.dimensions?.count == 4 ? [1, 1] : []
    try draw(vectors.count, on: host) { (indices) throws(ModelError) in
      Tensor(
        try Shape([indices.count, vectors[0].count] + shape), indices.flatMap { vectors[$0] })
    }
  }

  private func inputs(
    _ indices: [Int], _ rows: ([Int]) throws(ModelError) -> Tensor
  ) throws(ModelError) -> [String: Tensor] {
    var tensors = [row.name: try rows(indices)]
    if let face {
      tensors[face.name] = Tensor(
        try Shape([indices.count, 6, size, size]), indices.flatMap { _ in input })
    }
    return tensors
  }

  /// Each frame as a picture, put back where the face was if a box said where.
  func pictures(_ outputs: [String: Tensor]) throws(ModelError) -> [Image] {
    guard let tensor = outputs[frames.name] else {
      throw ModelError(.missingInput, "there is no output '\(frames.name)'")
    }
    let area = 3 * size * size
    let values = tensor.dequantized().floats()
    return (0..<values.count / area).map { index in
      let planes = values[index * area..<(index + 1) * area].map(bound.colour(of:))
      let face = FaceCrop(planes: planes, size: size).image
      guard let picture = media.picture, let box = media.box else { return face }
      return picture.pasting(face, into: box)
    }
  }

  /// Up to `limit` of `count` indices, evenly spread.
  static func spread(_ count: Int, _ limit: Int) -> [Int] {
    guard count > limit else { return Array(0..<count) }
    return (0..<limit).map { ($0 * 2 + 1) * count / (limit * 2) }
  }
}

extension FamilyModel {
  /// The tensor of an input that a picture decides: one row, which is the same for every frame.
  ///
  /// - Throws: `usage` for an input that is made of anything else.
  package func row(
    of input: String, _ part: Part, _ media: MediaInputs
  ) throws(ModelError) -> Tensor {
    guard family.media.contains(.face), let port = part.inputs.first(where: { $0.name == input }),
      let row = try FaceFrames.row(of: port, part, media)
    else {
      throw ModelError(.usage, "input '\(input)' of the \(family.title) is not made of a picture")
    }
    return row
  }
}

extension FaceCrop {
  /// Six planes: this face with its lower half at 0, then the whole of it.
  func masked(_ bound: TalkingFace.Bound) -> [Float] {
    let whole = planes.map(bound.value(of:))
    var masked = whole
    for channel in 0..<3 {
      for index in (channel * size + size / 2) * size..<(channel + 1) * size * size {
        masked[index] = 0
      }
    }
    return masked + whole
  }
}

/// The windows of speech of a recording's video frames, 25 a second.
struct SpeechWindows {
  let mel: MelSpectrogram
  let starts: [Int]

  /// - Parameter shift: frames that every window starts later; −1 is how training windows lay.
  init(_ recording: Recording, shift: Int = 0) throws(ModelError) {
    mel = try MelSpectrogram(recording)
    let columns = Double(shift) * MelSpectrogram.columnsPerSecond / 25
    let last = mel.columns - MelSpectrogram.windowColumns
    starts = mel.windowStarts().map { min(max($0 + Int(columns), 0), last) }
  }

  var count: Int { starts.count }

  /// N×1×80×16.
  func tensor(_ indices: [Int]) throws(ModelError) -> Tensor {
    Tensor(
      try Shape([indices.count, 1, MelSpectrogram.bands, MelSpectrogram.windowColumns]),
      indices.flatMap { mel.window(at: starts[$0]) })
  }

  /// What `part` makes of each frame's window, one row each.
  func features(
    _ part: FamilyModel.Part, on host: any FamilyHost
  ) throws(ModelError) -> [[Float]] {
    guard let input = part.inputs.first, let output = part.outputs.first else { return [] }
    var rows: [[Float]] = []
    let batch = 2 * ModelFamily.batch
    for start in stride(from: 0, to: count, by: batch) {
      let indices = (start..<start + batch).map { min($0, count - 1) }
      let made = try host.run(part, [input.name: try tensor(indices)])
      guard let tensor = made[output.name] else {
        throw ModelError(.missingInput, "there is no output '\(output.name)'")
      }
      rows += try tensor.rows().prefix(min(batch, count - start))
    }
    return rows
  }
}

extension Tensor {
  /// The entries along the first axis, each as a flat row.
  func rows() throws(ModelError) -> [[Float]] {
    let values = dequantized().floats()
    let count = shape.rank > 0 ? shape[0] : 1
    guard count > 0 else { return [] }
    let width = values.count / count
    return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
  }
}
