import ModelIR
import TensorCore

/// The plain recurrent layer: h′ = f(W x + R h + b).
///
/// Clauses `RC1`… of `formats/operators.md`; ONNX RNN 7–22.
package struct RNN: RecurrentOperator {
  package static let name = "RNN"
  package static let gates = 1
  package static let states = 1
  package static let defaultActivations = ["Tanh"]
  package static let fields = [
    Field("direction", \RNN.recurrence.direction),
    Field("activations", \RNN.recurrence.activations),
    Field("alphas", \RNN.recurrence.alphas),
    Field("betas", \RNN.recurrence.betas),
    Field("clip", \RNN.recurrence.clip),
    Field("batchFirst", \RNN.recurrence.batchFirst),
  ]

  package var recurrence = Recurrence()

  package init() {}
  package init(_ recurrence: Recurrence) { self.recurrence = recurrence }

  package func step(
    _ x: ArraySlice<Double>, _ h: [Double], _ state: [[Double]], _ cell: RecurrentCell
  ) -> [[Double]] {
    let (input, recurrent) = (cell.input(0, x), cell.recurrent(0, h))
    return [zip(input, recurrent).map { cell.gate(0, $0 + $1) }]
  }
}

extension RNN: ImportableOperator {
  package static let importers = [
    Importer("RNN", 7...newestOpset) { node throws(ModelError) in
      var recurrence = try Recurrence(importing: node)
      // The schema's default names one function too many for a single direction.
      let directions = recurrence.direction.count
      recurrence.activations = Array(recurrence.activations.prefix(directions))
      return RNN(recurrence)
    }
  ]
}
