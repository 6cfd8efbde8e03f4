import ModelIR
import TensorCore

/// −w·x at each target's class, of logarithms x [N, C, …]; reduced by a sum or a mean weighted by w.
///
/// Operands: X, target [N, …], weight [C]?. Clauses `LO1`… of `formats/operators.md`; ONNX
/// NegativeLogLikelihoodLoss 12–22.
package struct NegativeLogLikelihoodLoss: Operator {
  package static let name = "NegativeLogLikelihoodLoss"
  package static let fields = [
    Field("reduction", \NegativeLogLikelihoodLoss.reduction),
    Field("ignored", \NegativeLogLikelihoodLoss.ignored),
  ]

  package var reduction = LossReduction.mean
  /// A class whose elements do not count.
  package var ignored: Int?

  package init() {}
  package init(_ reduction: LossReduction, ignored: Int? = nil) {
    self.reduction = reduction
    self.ignored = ignored
  }

  private var losses: ClassLosses { ClassLosses(reduction: reduction, ignored: ignored) }

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...3)
    return [try losses.infer(inputs.required(0), inputs.required(1), inputs.optional(2))]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    return [
      try losses.loss(
        logarithms: x.doubles(), x.shape, inputs.required(1), inputs.optional(2),
        element: x.element)
    ]
  }
}

extension NegativeLogLikelihoodLoss: ImportableOperator {
  package static let importers = [
    Importer("NegativeLogLikelihoodLoss", 12...newestOpset) { node throws(ModelError) in
      let (reduction, ignored) = try node.lossAttributes()
      return NegativeLogLikelihoodLoss(reduction, ignored: ignored)
    }
  ]
}
