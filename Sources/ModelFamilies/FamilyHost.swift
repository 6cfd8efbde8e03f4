import MediaIO
import TensorCore

/// Who runs a family's parts: a run that leaves files, or a calibration that watches inputs go by.
package protocol FamilyHost: AnyObject {
  /// Whether only inputs are wanted: products go nowhere, and few samples do.
  var isCalibrating: Bool { get }
  /// Runs a part on tensors by port name.
  func run(
    _ part: FamilyModel.Part, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor]
  /// Runs parts as one network on tensors by port name, whichever part they are for.
  func run(
    _ chain: PartChain, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor]
  /// Inputs that a part would be run on, where nobody needs its outputs.
  func feed(_ part: FamilyModel.Part, _ inputs: [String: Tensor]) throws(ModelError)
  func show(_ product: Product) throws(ModelError)
  /// How far the work is, in frames or whatever is counted.
  func progress(_ done: Int, of total: Int)
}

/// Something that a run shows.
package enum Product: Sendable {
  /// The next frame of a moving picture.
  case frame(Image)
  case picture(String, Image)
  /// Rows of a picture that follow those shown under this name before, and how many there will be.
  case stripe(String, DeepImage, of: Int)
  case sound(String, Recording)
  /// A file of text.
  case text(String, String)
  /// A line for people to read at once.
  case line(String)
  /// Rows that follow those shown under this name before.
  case rows(String, Tensor)
  /// A number that programs ask for.
  case figure(String, Double)
  /// The recording that the frames go with.
  case speech(Recording)
}

extension ModelFamily {
  /// Samples that calibration takes of one recording or video.
  package static let calibrationSamples = 8
  /// Frames that run at once.
  package static let batch = 8

  /// The work of a family with one part that makes a picture of each video frame.
  package static func framewise(
    prepare:
      @escaping @Sendable (FamilyModel, MediaInputs) throws(ModelError) -> PreparedMedia,
    pictures:
      @escaping @Sendable (FamilyModel, [String: Tensor], MediaInputs) throws(ModelError) -> [Image]
  ) -> @Sendable (FamilyModel, MediaInputs, any FamilyHost) throws(ModelError) -> Void {
    { (model, media, host) throws(ModelError) in
      let part = model.parts[0]
      let prepared = try prepare(model, media)
      guard !host.isCalibrating else {
        let frames = prepared.spread(calibrationSamples)
        for start in stride(from: 0, to: frames.count, by: 2) {
          try host.feed(
            part, try prepared.inputs(Array(frames[start..<min(start + 2, frames.count)])))
        }
        return
      }
      for start in stride(from: 0, to: prepared.count, by: batch) {
        // The last batch is filled up with its last frame, so that one plan serves all.
        let indices = (start..<start + batch).map { min($0, prepared.count - 1) }
        let used = min(batch, prepared.count - start)
        let outputs = try host.run(part, try prepared.inputs(indices))
        for picture in try pictures(model, outputs, media).prefix(used) {
          try host.show(.frame(picture))
        }
        for port in part.outputs {
          guard let tensor = outputs[port.name] else { continue }
          try host.show(.rows(port.name, try tensor.prefix(used)))
        }
        host.progress(start + used, of: prepared.count)
      }
      if let recording = media.recording { try host.show(.speech(recording)) }
    }
  }
}

extension Tensor {
  /// The first `count` entries along the first axis.
  package func prefix(_ count: Int) throws(ModelError) -> Tensor {
    try entries(0..<count)
  }

  /// Some entries along the first axis.
  package func entries(_ range: Range<Int>) throws(ModelError) -> Tensor {
    guard shape.rank > 0, range.lowerBound >= 0, shape[0] >= range.upperBound else {
      throw ModelError(.shapeMismatch, "\(shape) has no entries \(range)")
    }
    let part = try Shape([range.count] + shape.dimensions.dropFirst())
    let row = shape[0] == 0 ? 0 : byteCount / shape[0]
    let source = bytes
    return Tensor(
      element, part, quantization: quantization,
      writing: {
        let start = range.lowerBound * row
        $0.copyMemory(from: UnsafeRawBufferPointer(rebasing: source[start..<start + $0.count]))
      })
  }

  /// Tensors of one type joined along the first axis.
  package static func concatenated(_ parts: [Tensor]) throws(ModelError) -> Tensor {
    guard let first = parts.first else {
      throw ModelError(.invalidValue, "there is nothing to join")
    }
    let rest = Array(first.shape.dimensions.dropFirst())
    guard parts.allSatisfy({ Array($0.shape.dimensions.dropFirst()) == rest }) else {
      throw ModelError(.shapeMismatch, "rows of different shapes do not join")
    }
    let shape = try Shape([parts.reduce(0) { $0 + $1.shape[0] }] + rest)
    return Tensor(
      first.element, shape, quantization: first.quantization,
      writing: { target in
        var offset = 0
        for part in parts {
          UnsafeMutableRawBufferPointer(rebasing: target[offset..<offset + part.byteCount])
            .copyMemory(from: part.bytes)
          offset += part.byteCount
        }
      })
  }
}
