import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// x → Relu → + x → Reshape to [N, −1] → Softmax.
private func sample() throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 2, 3]))
  let relu = try graph.appendOne(Relu(), named: "relu", to: [x])
  let sum = try graph.appendOne(Add(), named: "sum", to: [relu, x])
  let target = graph.addConstant(Tensor(vector: [Int64(0), -1]), named: "target")
  let flat = try graph.appendOne(Reshape(), named: "flat", to: [sum, target])
  let soft = try graph.appendOne(Softmax(axis: 1), named: "soft", to: [flat])
  try graph.addOutput("soft", soft)
  try graph.verify()
  return graph
}

/// Equal types, and values that differ by no more than kernels' own exp does.
private func agree(_ a: Tensor?, _ b: Tensor?) -> Bool {
  guard let a, let b, a.type == b.type else { return false }
  return zip(a.doubles(), b.doubles()).allSatisfy { abs($0 - $1) <= 1e-6 }
}

@Test func plannedRunsAgreeWithTheReference() throws {
  let graph = try sample()
  #expect(graph.type(graph.outputs[0].value).dimensions == [.symbol("N"), 6])
  var runner = ModelRunner(graph)
  for batch in [1, 3, 1, 2] {
    let shape = try Shape([batch, 2, 3])
    let x = Tensor(shape, (0..<shape.count).map { Float($0 % 7) - 3 })
    let planned = try runner.run([x])
    let reference = try ReferenceExecutor(graph).run([x])
    #expect(planned.count == 1 && agree(planned[0], reference[0]))
  }
}

@Test func wrongInputsAreNamed() throws {
  var runner = ModelRunner(try sample())
  let tooLong = Tensor(try Shape([1, 2, 4]), [Float](repeating: 0, count: 8))
  let wrongType = Tensor(try Shape([1, 2, 3]), [Double](repeating: 0, count: 6))
  do throws(ModelError) {
    _ = try runner.run([tooLong])
    Issue.record("a wrong extent was accepted")
  } catch {
    #expect(error.code == .shapeMismatch)
    #expect(
      error.message == "input 'x' has 4 on axis 2; 3 is needed there, as in float32[N×2×3]")
  }
  do throws(ModelError) {
    _ = try runner.run([wrongType])
    Issue.record("a wrong element type was accepted")
  } catch { #expect(error.code == .typeMismatch) }
}

@Test func observedValuesAreThoseOfTheReference() throws {
  let graph = try sample()
  let shape = try Shape([2, 2, 3])
  let x = Tensor(shape, (0..<shape.count).map { Float($0) - 5 })
  var reference: [ValueID: Tensor] = [:]
  _ = try ReferenceExecutor(graph).run([x]) { (id, tensor) throws(ModelError) in
    reference[id] = tensor
  }
  var planned: [ValueID: Tensor] = [:]
  var runner = ModelRunner(graph)
  _ = try runner.run([x]) { (id, tensor) throws(ModelError) in planned[id] = tensor }
  #expect(planned.count == reference.count)
  for (id, tensor) in reference { #expect(agree(planned[id], tensor)) }
}

/// Outputs are written to memory of their own as long as anyone has those of the run before.
@Test func outputsStayAsTheyAre() throws {
  var runner = ModelRunner(try sample())
  let shape = try Shape([2, 2, 3])
  let inputs = (0..<3).map { seed in
    Tensor(shape, (0..<12).map { Float(($0 + 5 * seed) % 7) - 3 })
  }
  let kept = try runner.run([inputs[0]])
  let before = kept.map { $0.doubles() }
  var last = try runner.run([inputs[1]])
  #expect(kept.map { $0.doubles() } == before)
  #expect(kept[0].bytes.baseAddress != last[0].bytes.baseAddress)
  let place = last[0].bytes.baseAddress
  last = []
  last = try runner.run([inputs[2]])
  #expect(last[0].bytes.baseAddress == place)
  #expect(agree(last[0], try ReferenceExecutor(runner.graph).run([inputs[2]])[0]))
}
