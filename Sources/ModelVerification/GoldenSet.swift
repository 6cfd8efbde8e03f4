import TensorCore

/// Inputs, the outputs that they must give, and how closely.
package struct GoldenCase: Sendable, Hashable {
  package let name: String
  package let inputs: [NamedTensor]
  package let outputs: [NamedTensor]
  /// Tolerances of single outputs; ``tolerance`` holds for the others.
  package let tolerances: [String: Tolerance]
  package let tolerance: Tolerance

  package init(
    name: String, inputs: [NamedTensor], outputs: [NamedTensor], tolerance: Tolerance = .exact,
    tolerances: [String: Tolerance] = [:]
  ) {
    self.name = name
    self.inputs = inputs
    self.outputs = outputs
    self.tolerance = tolerance
    self.tolerances = tolerances
  }

  /// The inputs in the order in which a model wants them.
  ///
  /// - Throws: `missing-input` for a name that the case does not have.
  package func inputs(named names: [String]) throws(ModelError) -> [Tensor] {
    var ordered: [Tensor] = []
    for name in names {
      guard let input = inputs.first(where: { $0.name == name }) else {
        throw ModelError(.missingInput, "golden '\(self.name)' has no input '\(name)'")
      }
      ordered.append(input.tensor)
    }
    return ordered
  }

  package func compare(_ actual: [NamedTensor]) -> [Comparison] {
    Comparison.all(actual, against: outputs) { tolerances[$0] ?? tolerance }
  }
}

/// What a model is verified by.
package struct GoldenSet: Sendable, Hashable {
  package let cases: [GoldenCase]

  package init(_ cases: [GoldenCase]) { self.cases = cases }

  /// Runs every case; an error that `run` throws fails its case and not the others.
  package func verify(
    title: String, _ run: (GoldenCase) throws(ModelError) -> [NamedTensor]
  ) -> VerificationReport {
    var results: [VerificationReport.Case] = []
    for golden in cases {
      do {
        let outputs = try run(golden)
        let digests = outputs.map { ($0.name, TensorHash($0.tensor).description) }
        results.append(
          .init(
            name: golden.name, comparisons: golden.compare(outputs),
            digests: Dictionary(digests, uniquingKeysWith: { $1 })))
      } catch {
        results.append(.init(name: golden.name, failure: error.description))
      }
    }
    return VerificationReport(title: title, cases: results)
  }
}
