import Foundation
import ModelIR
import TensorCore

/// The matrix that turns frequencies of a Fourier transform into mel bands: a triangle for each band
/// between equally spaced mels. Result [length / 2 + 1, bands].
///
/// Operands (scalars): bands, length of the transform, sample rate, lowest and highest frequency. Clauses
/// `ME1`… of `formats/operators.md`; ONNX MelWeightMatrix 17.
package struct MelWeightMatrix: Operator {
  package static let name = "MelWeightMatrix"
  package static let fields = [Field("element", \MelWeightMatrix.element)]

  package var element = ElementType.float32

  package init() {}
}

extension MelWeightMatrix {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(5...5)
    for index in 0...2 where try !inputs.required(index).element.isInteger {
      throw ModelError(.typeMismatch, "ME1: operand \(index) is not an integer")
    }
    let bands = try inputs.required(0).extents?.first ?? .unknown
    let length = try inputs.required(1).extents?.first ?? .unknown
    return [TensorType(element, [Dimension.combine(length, 2) { $0 / $1 + 1 }, bands])]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let bands = Int(try inputs.required(0).integers()[0])
    let length = Int(try inputs.required(1).integers()[0])
    let rate = Double(try inputs.required(2).integers()[0])
    let (low, high) = (try inputs.required(3).doubles()[0], try inputs.required(4).doubles()[0])
    func mel(_ frequency: Double) -> Double { 2595 * log10(1 + frequency / 700) }
    let rejection = ModelError(
      .invalidValue, "ME2: \(bands) bands up to \(high) Hz at \(rate) Hz")
    guard bands >= 1, length >= 1, rate > 0 else { throw rejection }
    let rows = length / 2 + 1
    let shape = try Shape([rows, bands])
    let step = (mel(high) - mel(low)) / Double(bands + 2)
    let places = (0..<bands + 2).map { index in
      let frequency = 700 * (pow(10, (Double(index) * step + mel(low)) / 2595) - 1)
      return (Double(length + 1) * frequency / rate).rounded(.down)
    }
    // False for what is no number, too.
    guard places.allSatisfy({ $0 >= 0 && $0 <= Double(rows) }) else { throw rejection }
    let bins = places.map { Int($0) }
    var result = [Double](repeating: 0, count: shape.count)
    func set(_ row: Int, _ band: Int, _ value: Double) {
      if row < rows { result[row * bands + band] = value }
    }
    for band in 0..<bands {
      let (left, center, right) = (bins[band], bins[band + 1], bins[band + 2])
      if left == center {
        set(center, band, 1)
      } else {
        for row in left...center { set(row, band, Double(row - left) / Double(center - left)) }
      }
      if right > center {
        for row in center..<right { set(row, band, Double(right - row) / Double(right - center)) }
      }
    }
    return [Tensor(element, shape, doubles: result)]
  }
}

extension MelWeightMatrix: ImportableOperator {
  package static let importers = [
    Importer("MelWeightMatrix", 17...newestOpset) { node throws(ModelError) in
      var op = MelWeightMatrix()
      op.element = try node.elementType("output_datatype") ?? .float32
      return op
    }
  ]
}
