import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// Expects the planned form of `op` to agree with its reference: closely in both profiles, and exactly
/// between numbers of threads and tiers in the exact one. The first operand and those in `variables` are
/// graph inputs, the others constants.
func expectAgreement(
  _ op: any Operator, _ operands: [Tensor?], variables: Set<Int> = [], tolerance: Double = 1e-4,
  sourceLocation: SourceLocation = #_sourceLocation
) throws {
  var graph = Graph()
  var ids: [ValueID?] = []
  var inputs: [Tensor] = []
  for (index, operand) in operands.enumerated() {
    guard let operand else {
      ids.append(nil)
      continue
    }
    if index == 0 || variables.contains(index) {
      ids.append(try graph.addInput("x\(index)", operand.type))
      inputs.append(operand)
    } else {
      ids.append(graph.addConstant(operand, named: "c\(index)"))
    }
  }
  for (index, id) in try graph.append(op, named: "y", to: ids).enumerated() {
    try graph.addOutput("y\(index)", id)
  }
  let expected = try ReferenceExecutor(graph).run(inputs)
  func run(_ profile: PlanOptions.Profile, threads: Int) throws -> [Tensor] {
    var runner = ModelRunner(graph, options: PlanOptions(profile: profile, threads: threads))
    _ = try runner.run(inputs)
    // The second run sees what the first one left in the arena.
    return try runner.run(inputs)
  }
  let exact = try run(.exact, threads: 1)
  #expect(try run(.exact, threads: 3) == exact, sourceLocation: sourceLocation)
  for made in [exact, try run(.fast, threads: 2)] {
    for (tensor, wanted) in zip(made, expected) {
      #expect(tensor.shape == wanted.shape, sourceLocation: sourceLocation)
      let (a, b) = (tensor.doubles(), wanted.doubles())
      let wrong = zip(a, b).first {
        !(abs($0 - $1) <= tolerance * max(1, abs($1))) && $0 != $1 && !($0.isNaN && $1.isNaN)
      }
      #expect(wrong == nil, sourceLocation: sourceLocation)
    }
  }
}
