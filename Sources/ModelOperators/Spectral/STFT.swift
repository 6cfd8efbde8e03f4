import Foundation
import ModelIR
import TensorCore

/// Fourier transforms of the frames of a signal, each times a window: result [batch, frames, frequencies,
/// 2].
///
/// Operands: signal [batch, length] or [batch, length, 1 or 2], step between frames, window?, length of a
/// frame? (that of the window where absent). Clauses `ST1`… of `formats/operators.md`; ONNX STFT 17.
package struct STFT: Operator {
  package static let name = "STFT"
  package static let fields = [Field("onesided", \STFT.onesided)]

  /// Only the first half of the frequencies: the other half mirrors it for real signals.
  package var onesided = true

  package init() {}
  package init(onesided: Bool) { self.onesided = onesided }
}

extension STFT {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...4)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "ST1: a transform of \(x.element)")
    }
    let signal = try x.dimensions()
    guard signal.count == 2 || signal.count == 3, signal.count == 2 || signal[2].value ?? 1 <= 2
    else { throw ModelError(.shapeMismatch, "ST2: a signal of \(x.type)") }
    let step = try inputs.required(1).extents?.first ?? .unknown
    var length = Dimension.unknown
    if let window = inputs.optional(2) { length = try window.dimensions().first ?? .unknown }
    if let given = inputs.optional(3) {
      let own = given.extents?.first ?? .unknown
      guard own.mayEqual(length) else {
        throw ModelError(.shapeMismatch, "ST3: a window of \(length) for frames of \(own)")
      }
      length = own.merged(with: length)
    }
    guard inputs.optional(2) != nil || inputs.optional(3) != nil, (step.value ?? 1) >= 1,
      (length.value ?? 1) >= 1
    else { throw ModelError(.invalidValue, "ST3: frames of \(length) every \(step)") }
    var frames = Dimension.unknown
    if let total = signal[1].value, let step = step.value, let length = length.value {
      guard length <= total else {
        throw ModelError(.shapeMismatch, "ST4: a frame of \(length) in a signal of \(total)")
      }
      frames = .fixed((total - length) / step + 1)
    }
    let frequencies = onesided ? Dimension.combine(length, 2) { $0 / $1 + 1 } : length
    return [TensorType(x.element, [signal[0], frames, frequencies, 2])]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let window = inputs.optional(2)?.doubles()
    let step = Int(try inputs.required(1).integers().first ?? 1)
    let length = inputs.optional(3)?.integers().first.map { Int($0) } ?? window?.count ?? 1
    let parts = x.shape.rank == 3 ? x.shape[2] : 1
    let frames = (x.shape[1] - length) / step + 1
    let count = onesided ? length / 2 + 1 : length
    let values = x.doubles()
    let circle = (0..<length).map { step in
      let angle = -2 * Double.pi * Double(step) / Double(length)
      return (cos(angle), sin(angle))
    }
    var result: [Double] = []
    for n in 0..<x.shape[0] {
      for frame in 0..<frames {
        for k in 0..<count {
          var sum = (0.0, 0.0)
          for i in 0..<length {
            let start = (n * x.shape[1] + frame * step + i) * parts
            let weight = window?[i] ?? 1
            let real = values[start] * weight
            let imaginary = parts == 2 ? values[start + 1] * weight : 0
            let turn = circle[k * i % length]
            sum.0 += real * turn.0 - imaginary * turn.1
            sum.1 += real * turn.1 + imaginary * turn.0
          }
          result += [sum.0, sum.1]
        }
      }
    }
    return [Tensor(x.element, try Shape([x.shape[0], frames, count, 2]), doubles: result)]
  }
}

extension STFT: ImportableOperator {
  package static let importers = [
    Importer("STFT", 17...newestOpset) { node throws(ModelError) in
      STFT(onesided: try node.flag("onesided", default: true))
    }
  ]
}
