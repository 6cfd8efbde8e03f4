import Foundation
import ModelIR
import TensorCore

/// ``NegativeLogLikelihoodLoss`` of the logarithms of softmax over the classes of scores [N, C, …].
///
/// Operands: X, target [N, …], weight [C]?. Outputs: the loss and, where asked for, the logarithms.
/// Clauses `LO1`… of `formats/operators.md`; ONNX SoftmaxCrossEntropyLoss 12–13.
package struct SoftmaxCrossEntropyLoss: Operator {
  package static let name = "SoftmaxCrossEntropyLoss"
  package static let fields = [
    Field("reduction", \SoftmaxCrossEntropyLoss.reduction),
    Field("ignored", \SoftmaxCrossEntropyLoss.ignored),
    Field("logarithms", \SoftmaxCrossEntropyLoss.logarithms),
  ]

  package var reduction = LossReduction.mean
  /// A class whose elements do not count.
  package var ignored: Int?
  /// Whether there is a second output.
  package var logarithms = false

  package init() {}
  package init(_ reduction: LossReduction, ignored: Int? = nil, logarithms: Bool = false) {
    self.reduction = reduction
    self.ignored = ignored
    self.logarithms = logarithms
  }

  private var losses: ClassLosses { ClassLosses(reduction: reduction, ignored: ignored) }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    let x = try inputs.required(0)
    let loss = try losses.infer(x, inputs.required(1), inputs.optional(2))
    return logarithms ? [loss, x.type] : [loss]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let element = try inputs.required(0).element
    return logarithms ? [element, element] : [element]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let (classes, inner) = (x.shape[1], x.shape.count(2..<x.shape.rank))
    var values = x.doubles()
    for line in 0..<x.shape[0] * inner {
      let start = line / inner * classes * inner + line % inner
      let places = stride(from: start, to: start + classes * inner, by: inner)
      let greatest = places.lazy.map { values[$0] }.max() ?? 0
      let sum = places.reduce(0) { $0 + exp(values[$1] - greatest) }
      for place in places { values[place] -= greatest + log(sum) }
    }
    let loss = try losses.loss(
      logarithms: values, x.shape, inputs.required(1), inputs.optional(2), element: x.element)
    return logarithms ? [loss, Tensor(x.element, x.shape, doubles: values)] : [loss]
  }
}

extension SoftmaxCrossEntropyLoss: ImportableOperator {
  package static let importers = [
    Importer("SoftmaxCrossEntropyLoss", 12...newestOpset) { node throws(ModelError) in
      let (reduction, ignored) = try node.lossAttributes()
      return SoftmaxCrossEntropyLoss(
        reduction, ignored: ignored, logarithms: node.outputCount > 1)
    }
  ]
}
