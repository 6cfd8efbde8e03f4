import Foundation
import ModelIR
import ModelQuantization
import OnnxFormat
import TensorCore

/// What a sketch file holds of a part (`Q66`): what its calibration remembers and, where the noise of weights is shared out, the samples
/// that were drawn for that of all that passed.
struct PartSketch: Codable {
  let calibration: CalibrationSketch
  /// Archives of arrays, each by the name of its input; nil where the noise of weights was not to be shared out.
  private let drawn: [Data]?

  private enum CodingKeys: String, CodingKey { case drawn }

  /// - Parameter drawn: samples, each a tensor for each input of `graph`, in order.
  init(
    _ calibration: CalibrationSketch, drawn: [[Tensor]]?, of graph: Graph
  ) throws(ModelError) {
    self.calibration = calibration
    self.drawn = try drawn?.map { (inputs) throws(ModelError) in
      let arrays = zip(graph.inputs, inputs).map { (name: $0.name, tensor: $1) }
      return Data(try NumpyArchive.bytes(of: arrays))
    }
  }

  init(from decoder: any Decoder) throws {
    calibration = try CalibrationSketch(from: decoder)
    drawn = try decoder.container(keyedBy: CodingKeys.self)
      .decodeIfPresent([Data].self, forKey: .drawn)
  }

  func encode(to encoder: any Encoder) throws {
    try calibration.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(drawn, forKey: .drawn)
  }

  /// The samples that were drawn.
  ///
  /// - Throws: `invalid-value` where none were, and what is wrong with those that do not fit.
  func samples(of graph: Graph) throws(ModelError) -> [[Tensor]] {
    guard let drawn else {
      throw ModelError(
        .invalidValue,
        "Q66: the sketch is without the samples that share out the noise of weights; calibrate anew, or without noise"
      )
    }
    return try drawn.map { (archive) throws(ModelError) in
      let arrays = try NumpyArchive.read(bytes: [UInt8](archive))
      return try graph.ordered(
        Dictionary(arrays.map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 }))
    }
  }
}
