import ModelIR
import TensorCore

/// Long short-term memory. With gates i, o, f = f(W x + R h + P ∘ c + b), where o looks at the new cell
/// state: c′ = f ∘ c + i ∘ g(W_c x + R_c h + b_c), h′ = o ∘ h(c′).
///
/// Operands 6 and 7 are the initial cell state and the peephole weights of i, o and f. Clauses `RC1`… of
/// `formats/operators.md`; ONNX LSTM 7–22.
package struct LSTM: RecurrentOperator {
  package static let name = "LSTM"
  package static let gates = 4
  package static let states = 2
  package static let defaultActivations = ["Sigmoid", "Tanh", "Tanh"]
  package static let fields = [
    Field("direction", \LSTM.recurrence.direction),
    Field("couplesForget", \LSTM.couplesForget),
    Field("activations", \LSTM.recurrence.activations),
    Field("alphas", \LSTM.recurrence.alphas),
    Field("betas", \LSTM.recurrence.betas),
    Field("clip", \LSTM.recurrence.clip),
    Field("batchFirst", \LSTM.recurrence.batchFirst),
    Field("roundsActivations", \LSTM.recurrence.roundsActivations),
  ]

  package var recurrence = Recurrence()
  /// The forget gate is 1 − i.
  package var couplesForget = false

  package init() {}
  package init(_ recurrence: Recurrence, couplesForget: Bool = false) {
    self.recurrence = recurrence
    self.couplesForget = couplesForget
  }

  package func step(
    _ x: ArraySlice<Double>, _ h: [Double], _ state: [[Double]], _ cell: RecurrentCell
  ) -> [[Double]] {
    let c = state[1]
    let sums = (0..<4).map { gate in
      zip(cell.input(gate, x), cell.recurrent(gate, h)).map { $0 + $1 }
    }
    let units = h.count
    func peephole(_ gate: Int, _ unit: Int, _ c: Double) -> Double {
      cell.peepholes.isEmpty ? 0 : cell.peepholes[gate * units + unit] * c
    }
    var newH = h
    var newC = c
    for unit in 0..<units {
      let i = cell.gate(0, sums[0][unit] + peephole(0, unit, c[unit]))
      let f =
        couplesForget ? 1 - i : cell.gate(0, sums[2][unit] + peephole(2, unit, c[unit]))
      newC[unit] = f * c[unit] + i * cell.gate(1, sums[3][unit])
      let o = cell.gate(0, sums[1][unit] + peephole(1, unit, newC[unit]))
      newH[unit] = o * cell.functions[2].apply(newC[unit])
    }
    return [newH, newC]
  }
}

extension LSTM: ImportableOperator {
  package static let importers =
    [
      Importer("LSTM", 7...newestOpset) { node throws(ModelError) in
        LSTM(
          try Recurrence(importing: node),
          couplesForget: try node.flag("input_forget", default: false))
      }
    ] + quantizedImporters
}
