import ModelIR
import TensorCore

/// A depthwise convolution over time that sees the past only, and the inputs that its next call needs.
///
/// Operands: X [N, C, L], W [C, 1, K], bias?, past [N, C, K − 1]? (zeros where absent). Outputs: Y
/// [N, C, L], and the last K − 1 inputs. Clauses `CW1`… of `formats/operators.md`; ONNX
/// CausalConvWithState 27.
package struct CausalConvWithState: Operator {
  package static let name = "CausalConvWithState"
  package static let fields = [Field("activation", \CausalConvWithState.activation)]

  /// `none` or `silu`.
  package var activation = Activation.none

  package init() {}
  package init(activation: Activation) { self.activation = activation }
}

extension CausalConvWithState {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...4)
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    guard x.element.isFloatingPoint, inputs.values.allSatisfy({ ($0 ?? x).element == x.element })
    else { throw ModelError(.typeMismatch, "CW1: convolution of \(x.element) by \(w.element)") }
    let (sequence, weight) = (try x.dimensions(), try w.dimensions())
    guard sequence.count == 3, weight.count == 3, weight[0].mayEqual(sequence[1]),
      weight[1].mayEqual(1), (weight[2].value ?? 1) >= 1
    else { throw ModelError(.shapeMismatch, "CW2: convolution of \(x.type) by \(w.type)") }
    guard activation == .none || activation == .silu else {
      throw ModelError(.invalidValue, "CW3: the activation \(activation.rawValue)")
    }
    let state = [sequence[0], sequence[1], Dimension.combine(weight[2], 1, -)]
    for (index, wanted) in [(2, [sequence[1]]), (3, state)] {
      guard let operand = inputs.optional(index) else { continue }
      let given = try operand.dimensions()
      guard given.count == wanted.count, zip(given, wanted).allSatisfy({ $0.mayEqual($1) }) else {
        throw ModelError(.shapeMismatch, "CW2: operand \(index) is \(operand.type)")
      }
    }
    return [x.type, TensorType(x.element, state)]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let element = try inputs.required(0).element
    return [element, element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    let (planes, length, taps) = (x.shape.count(0..<2), x.shape[2], w.shape[2])
    let (values, weight) = (x.doubles(), w.doubles())
    let bias = inputs.optional(2)?.doubles()
    let past = inputs.optional(3)?.doubles()
    let finish = Epilogue(activation)
    var result: [Double] = []
    var states: [Double] = []
    for plane in 0..<planes {
      let c = plane % x.shape[1]
      let before =
        past.map { Array($0[plane * (taps - 1)..<(plane + 1) * (taps - 1)]) }
        ?? [Double](repeating: 0, count: taps - 1)
      let line = before + values[plane * length..<(plane + 1) * length]
      for t in 0..<length {
        var sum = bias?[c] ?? 0
        for k in 0..<taps { sum += line[t + k] * weight[c * taps + k] }
        result.append(finish.apply(sum))
      }
      states += line[length...]
    }
    let shape = try Shape([x.shape[0], x.shape[1], taps - 1])
    return [
      Tensor(x.element, x.shape, doubles: result), Tensor(x.element, shape, doubles: states),
    ]
  }
}

extension CausalConvWithState: ImportableOperator {
  package static let importers = [
    Importer("CausalConvWithState", 27...newestOpset) { node throws(ModelError) in
      CausalConvWithState(
        activation: try node.choice(
          "activation", default: "none", ["none": .none, "silu": .silu, "swish": .silu]))
    }
  ]
}
