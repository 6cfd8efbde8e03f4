import ModelIR
import TensorCore

/// The gated recurrent unit. With z = f(W_z x + R_z h + b_z) and r = f(W_r x + R_r h + b_r):
/// c = g(W_c x + R_c (r ∘ h) + b_c), or g(W_c x + b + r ∘ (R_c h + b′)) where `resetsAfter` is set;
/// h′ = (1 − z) ∘ c + z ∘ h.
///
/// Clauses `RC1`… of `formats/operators.md`; ONNX GRU 7–22.
package struct GRU: RecurrentOperator {
  package static let name = "GRU"
  package static let gates = 3
  package static let states = 1
  package static let defaultActivations = ["Sigmoid", "Tanh"]
  package static let fields = [
    Field("direction", \GRU.recurrence.direction),
    Field("resetsAfter", \GRU.resetsAfter),
    Field("activations", \GRU.recurrence.activations),
    Field("alphas", \GRU.recurrence.alphas),
    Field("betas", \GRU.recurrence.betas),
    Field("clip", \GRU.recurrence.clip),
    Field("batchFirst", \GRU.recurrence.batchFirst),
  ]

  package var recurrence = Recurrence()
  /// The reset gate acts after the product with R (ONNX's `linear_before_reset`, PyTorch's form).
  package var resetsAfter = false

  package init() {}
  package init(_ recurrence: Recurrence, resetsAfter: Bool) {
    self.recurrence = recurrence
    self.resetsAfter = resetsAfter
  }

  package func step(
    _ x: ArraySlice<Double>, _ h: [Double], _ state: [[Double]], _ cell: RecurrentCell
  ) -> [[Double]] {
    let z = zip(cell.input(0, x), cell.recurrent(0, h)).map { cell.gate(0, $0 + $1) }
    let r = zip(cell.input(1, x), cell.recurrent(1, h)).map { cell.gate(0, $0 + $1) }
    let input = cell.input(2, x)
    let candidate: [Double]
    if resetsAfter {
      let recurrent = cell.recurrent(2, h)
      candidate = h.indices.map { cell.gate(1, input[$0] + r[$0] * recurrent[$0]) }
    } else {
      let recurrent = cell.recurrent(2, zip(r, h).map { $0 * $1 })
      candidate = h.indices.map { cell.gate(1, input[$0] + recurrent[$0]) }
    }
    return [h.indices.map { (1 - z[$0]) * candidate[$0] + z[$0] * state[0][$0] }]
  }
}

extension GRU: ImportableOperator {
  package static let importers = [
    Importer("GRU", 7...newestOpset) { node throws(ModelError) in
      GRU(
        try Recurrence(importing: node),
        resetsAfter: try node.flag("linear_before_reset", default: false))
    }
  ]
}
