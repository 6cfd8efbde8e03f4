import Foundation
import ModelIR
import TensorCore

/// The discrete Fourier transform along one axis, by its formula: X_k = Σ x_n exp(∓2πi kn / length). The
/// last axis holds the real and, where there are two elements, the imaginary part.
///
/// Operands: X, length? (X is cut or filled with zeros to it), axis? (in place of the attribute). The forward transform may give only the
/// first half of the frequencies (`onesided`); the inverse then takes a half and gives real numbers.
/// Clauses `FT1`… of `formats/operators.md`; ONNX DFT 17–20.
package struct DFT: Operator {
  package static let name = "DFT"
  package static let fields = [
    Field("axis", \DFT.axis), Field("inverse", \DFT.inverse), Field("onesided", \DFT.onesided),
  ]

  /// Counted from the end where negative.
  package var axis = -2
  package var inverse = false
  package var onesided = false

  package init() {}
  package init(axis: Int, inverse: Bool = false, onesided: Bool = false) {
    self.axis = axis
    self.inverse = inverse
    self.onesided = onesided
  }
}

extension DFT {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...3)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "FT1: a transform of \(x.element)")
    }
    var dimensions = try x.dimensions()
    let rank = dimensions.count
    guard rank >= 2, (1...2).contains(dimensions[rank - 1].value ?? 1) else {
      throw ModelError(.shapeMismatch, "FT2: a transform of \(x.type)")
    }
    if let operand = inputs.optional(2), operand.constant == nil {
      guard operand.element == .int32 || operand.element == .int64 else {
        throw ModelError(.typeMismatch, "FT4: an axis of \(operand.element)")
      }
      // Any axis but the last may be the one.
      for other in 0..<rank - 1 { dimensions[other] = .unknown }
      dimensions[rank - 1] = inverse && onesided ? 1 : 2
      return [TensorType(x.element, dimensions)]
    }
    let axis = try resolvedAxis(inputs.optional(2)?.constant, rank: rank)
    var length = dimensions[axis]
    if let operand = inputs.optional(1) {
      length = operand.extents?.first ?? .unknown
      guard (length.value ?? 1) >= 1 else {
        throw ModelError(.invalidValue, "FT3: a length of \(length)")
      }
    } else if inverse, onesided {
      length = Dimension.combine(length, 2) { ($0 - 1) * $1 }
    }
    dimensions[axis] =
      onesided && !inverse ? Dimension.combine(length, 2) { $0 / $1 + 1 } : length
    dimensions[rank - 1] = inverse && onesided ? 1 : 2
    return [TensorType(x.element, dimensions)]
  }

  private func resolvedAxis(_ operand: Tensor?, rank: Int) throws(ModelError) -> Int {
    let given = try operand.map { (operand) throws(ModelError) in
      guard operand.element.isInteger, let value = operand.integers().first else {
        throw ModelError(.typeMismatch, "FT4: an axis of \(operand.type)")
      }
      return Int(value)
    }
    let axis = try Shape.resolve(axis: given ?? axis, rank: rank)
    guard axis < rank - 1 else {
      throw ModelError(.shapeMismatch, "FT2: a transform of \(rank) axes along axis \(axis)")
    }
    return axis
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let rank = x.shape.rank
    let axis = try resolvedAxis(inputs.optional(2), rank: rank)
    let (extent, parts) = (x.shape[axis], x.shape[rank - 1])
    let inner = x.shape.count(axis + 1..<rank - 1)
    let given = inputs.optional(1)?.integers().first.map { Int($0) }
    let length = given ?? (inverse && onesided ? (extent - 1) * 2 : extent)
    guard length >= 1 else { throw ModelError(.invalidValue, "FT3: a length of \(length)") }
    let count = onesided && !inverse ? length / 2 + 1 : length
    let made = inverse && onesided ? 1 : 2
    var extents = x.shape.dimensions
    extents[axis] = count
    extents[rank - 1] = made
    let shape = try Shape(extents)
    let values = x.doubles()
    var result = [Double](repeating: 0, count: shape.count)
    let circle = (0..<length).map { step in
      let angle = (inverse ? 2 : -2) * Double.pi * Double(step) / Double(length)
      return (cos(angle), sin(angle))
    }
    for line in 0..<x.shape.count(0..<axis) * inner {
      let (outer, column) = (line / inner, line % inner)
      func part(_ n: Int) -> (Double, Double) {
        // The half that was left out is the conjugate of the one that is there.
        let isMirrored = inverse && onesided && n > length / 2
        let place = isMirrored ? length - n : n
        guard place < extent else { return (0, 0) }
        let start = ((outer * extent + place) * inner + column) * parts
        let imaginary = parts == 2 ? values[start + 1] : 0
        return (values[start], isMirrored ? -imaginary : imaginary)
      }
      let points = (0..<length).map(part)
      for k in 0..<count {
        var sum = (0.0, 0.0)
        for (n, point) in points.enumerated() {
          let turn = circle[k * n % length]
          sum.0 += point.0 * turn.0 - point.1 * turn.1
          sum.1 += point.0 * turn.1 + point.1 * turn.0
        }
        let start = ((outer * count + k) * inner + column) * made
        let factor = inverse ? 1 / Double(length) : 1
        result[start] = sum.0 * factor
        if made == 2 { result[start + 1] = sum.1 * factor }
      }
    }
    return [Tensor(x.element, shape, doubles: result)]
  }
}

extension DFT: ImportableOperator {
  package static let importers = [
    Importer("DFT", 17...19) { node throws(ModelError) in
      DFT(
        axis: try node.attribute("axis", default: 1),
        inverse: try node.flag("inverse", default: false),
        onesided: try node.flag("onesided", default: false))
    },
    Importer("DFT", 20...newestOpset) { (node, graph) throws(ModelError) in
      var op = DFT(
        axis: -2, inverse: try node.flag("inverse", default: false),
        onesided: try node.flag("onesided", default: false))
      var operands = node.operands
      if let operand = node.operand(2), let value = graph.constant(operand)?.integers().first {
        op.axis = Int(value)
        operands.removeLast()
      }
      return try node.append(op, on: operands, to: &graph)
    },
  ]
}
