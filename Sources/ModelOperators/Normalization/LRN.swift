import Foundation
import ModelIR
import TensorCore

/// Normalisation by neighbouring channels: y = x / (bias + α / size · Σ x²)^β, the sum being over the
/// `size` channels around the element's.
///
/// Clauses `LR1`… of `formats/operators.md`; ONNX LRN 1–13.
package struct LRN: Operator {
  package static let name = "LRN"
  package static let fields = [
    Field("size", \LRN.size), Field("alpha", \LRN.alpha), Field("beta", \LRN.beta),
    Field("bias", \LRN.bias),
  ]

  package var size = 1
  package var alpha: Float = 1e-4
  package var beta: Float = 0.75
  package var bias: Float = 1

  package init() {}
  package init(size: Int, alpha: Float = 1e-4, beta: Float = 0.75, bias: Float = 1) {
    self.size = size
    self.alpha = alpha
    self.beta = beta
    self.bias = bias
  }
}

extension LRN {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "LR1: normalisation of \(x.element)")
    }
    guard try x.dimensions().count >= 2, size >= 1 else {
      throw ModelError(.shapeMismatch, "LR2: \(size) channels of \(x.type)")
    }
    return [x.type]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let inner = x.shape.count(2..<x.shape.rank)
    let channels = x.shape[1]
    let values = x.doubles()
    var result = values
    for index in values.indices {
      let c = index / inner % channels
      var sum = 0.0
      for d in max(0, c - (size - 1) / 2)...min(channels - 1, c + size / 2) {
        let value = values[index + (d - c) * inner]
        sum += value * value
      }
      result[index] /= pow(Double(bias) + Double(alpha) / Double(size) * sum, Double(beta))
    }
    return [Tensor(x.element, x.shape, doubles: result)]
  }
}

extension LRN: ImportableOperator {
  package static let importers = [
    Importer("LRN", 1...newestOpset) { node throws(ModelError) in
      LRN(
        size: try node.required(attribute: "size"),
        alpha: try node.attribute("alpha", default: Float(1e-4)),
        beta: try node.attribute("beta", default: Float(0.75)),
        bias: try node.attribute("bias", default: Float(1)))
    }
  ]
}
