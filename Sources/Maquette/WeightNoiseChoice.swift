import ModelFamilies
import ModelIR
import ModelQuantization
import ModelVerification
import TensorCore

/// How coarsely the weights of a part are rounded (`Q57`) where the request does not say: as coarsely as the
/// part's outputs allow.
extension PartObserver {
  /// Shares that are tried, the coarsest first.
  private static let shares = [1, 0.5, 0.2, 0.05]
  /// Decibels that coarser weights may take from any output of any sample.
  private static let cost = 0.5

  /// The int8 form of the part.
  ///
  /// - Parameters:
  ///   - samples: inputs by which coarser weights are judged; without any, weights are as fine as eight bits allow.
  ///   - size: the part's share of the bundle's, where that has a limit.
  func quantized(
    _ request: Conversion, _ family: FamilyModel?, judgedBy samples: [Sample],
    size: PlanSize? = nil
  ) throws(ModelError) -> ModelPart {
    if let share = request.weightNoise {
      return try quantized(request, family, samples, weightNoise: share, size: size)
    }
    let finest = try quantized(request, family, samples, weightNoise: 0, size: size)
    guard !samples.isEmpty else { return finest }
    var reference = try Runner(part.graph, ExecutionOptions(threads: request.threads))
    var expected: [[String: Tensor]] = []
    for sample in samples { expected.append(try reference.run(sample.inputs)) }
    func quality(_ made: ModelPart) throws(ModelError) -> [Double] {
      var runner = try Runner(made.graph, ExecutionOptions(threads: request.threads))
      var ratios: [Double] = []
      for (sample, expected) in zip(samples, expected) {
        let outputs = try runner.run(sample.inputs)
        for port in made.graph.outputs {
          guard let a = outputs[port.name], let b = expected[port.name] else { continue }
          ratios.append((try? Metrics(a, against: b))?.signalToNoise ?? -.infinity)
        }
      }
      return ratios
    }
    let best = try quality(finest)
    for share in Self.shares {
      let made = try quantized(request, family, samples, weightNoise: share, size: size)
      if zip(try quality(made), best).allSatisfy({ $0 >= $1 - Self.cost }) { return made }
    }
    return finest
  }
}
