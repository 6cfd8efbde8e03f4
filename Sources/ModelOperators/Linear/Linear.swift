import ModelIR
import TensorCore

/// A fully connected layer over the last axis: y = f(x · W + b + r), or x · Wᵀ with `transposeWeight`,
/// f being the activation of the ``Epilogue``.
///
/// Operands: X [… , K], W [K, N] or [N, K], bias?, residual?, slope? (along N). Clauses `LN1`…, `EP1`…
/// of `formats/operators.md`; no ONNX kind: passes make it of MatMul and Add.
package struct Linear: ImportableOperator {
  package static let name = "Linear"
  package static let fields = [
    Field("transposeWeight", \Linear.transposeWeight),
    Field("activation", \Linear.epilogue.activation),
    Field("alpha", \Linear.epilogue.alpha),
    Field("lower", \Linear.epilogue.lower),
    Field("upper", \Linear.epilogue.upper),
  ]

  package var transposeWeight = false
  package var epilogue = Epilogue()

  package init() {}
  package init(transposeWeight: Bool, epilogue: Epilogue = Epilogue()) {
    self.transposeWeight = transposeWeight
    self.epilogue = epilogue
  }
}

// MARK: - Types

extension Linear {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...5)
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    guard x.element.isFloatingPoint, w.element == x.element else {
      throw ModelError(
        .typeMismatch, "LN1: product of \(x.element) and \(w.element); one float type needed")
    }
    let (dimensions, weight) = (try x.dimensions(), try w.dimensions())
    guard let depth = dimensions.last, weight.count == 2,
      depth.mayEqual(weight[transposeWeight ? 1 : 0])
    else { throw ModelError(.shapeMismatch, "LN2: product of \(x.type) and \(w.type)") }
    let result = TensorType(
      x.element, dimensions.dropLast() + [weight[transposeWeight ? 0 : 1]])
    try epilogue.check(
      EpilogueOperands(inputs, from: 2), output: result, axis: dimensions.count - 1)
    return [result]
  }
}

// MARK: - Reference

extension Linear {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    let shape = try Shape(
      x.shape.dimensions.dropLast() + [w.shape[transposeWeight ? 0 : 1]])
    let sums = products(x.doubles(), x.shape, w.doubles(), weight: w.shape)
    let result = epilogue.finish(
      sums, shape, axis: shape.rank - 1, EpilogueOperands(inputs, from: 2))
    return [Tensor(x.element, shape, doubles: result)]
  }

  /// Every row of `x` times every column of the weight.
  func products<Number: Numeric>(
    _ x: [Number], _ input: Shape, _ values: [Number], weight shape: Shape
  ) -> [Number] {
    let k = shape[transposeWeight ? 1 : 0]
    let n = shape[transposeWeight ? 0 : 1]
    let (row, column) = transposeWeight ? (1, k) : (n, 1)
    let rows = input.count(0..<input.rank - 1)
    var sums = [Number](repeating: 0, count: rows * n)
    for i in 0..<rows {
      for j in 0..<n {
        var sum: Number = 0
        for p in 0..<k { sum += x[i * k + p] * values[p * row + j * column] }
        sums[i * n + j] = sum
      }
    }
    return sums
  }
}
