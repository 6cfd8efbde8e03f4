import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// `formats/run-limits.md`: what data ask for is refused before memory is taken.
@Suite struct RunLimitTests {
  private func expectRefusal(_ text: String, _ inputs: [Tensor]) throws {
    let graph = try GraphText.parse(text, operators: allOperators)
    var runner = ModelRunner(graph)
    func expect(_ run: () throws -> [Tensor]) {
      let error = #expect(throws: ModelError.self) { try run() }
      #expect(error?.code == .limitExceeded, "\(String(describing: error)): \(text)")
    }
    expect { try ReferenceExecutor(graph).run(inputs) }
    do {
      _ = try runner.run(inputs)
      Issue.record("was run: \(text)")
    } catch { #expect(error.code == .limitExceeded, "\(error)") }
  }

  private func vector(_ values: Int64...) -> Tensor { Tensor(vector: values) }

  @Test func extentsFromDataMeetTheLimit() throws {
    try expectRefusal(
      """
      graph 1
      input %shape: int64[3]
      constant %x: float32[] = [1.0]
      %y = Expand(%x, %shape)
      output y = %y
      """, [vector(1 << 12, 1 << 12, 1 << 12)])
    try expectRefusal(
      """
      graph 1
      input %shape: int64[2]
      %y = ConstantOfShape(%shape)
      output y = %y
      """, [vector(1 << 20, 1 << 20)])
    try expectRefusal(
      """
      graph 1
      input %x: float32[2]
      input %repeats: int64[1]
      %y = Tile(%x, %repeats)
      output y = %y
      """, [Tensor(vector: [1, 2] as [Float]), vector(1 << 40)])
    try expectRefusal(
      """
      graph 1
      input %limit: int64[]
      constant %zero: int64[] = [0]
      constant %one: int64[] = [1]
      %y = Range(%zero, %limit, %one)
      output y = %y
      """, [Tensor(scalar: Int64(1) << 38)])
  }

  @Test func whatALoopStacksMeetsTheLimit() throws {
    // The count is an extent of the stack, which is refused before the first iteration.
    let graph = try GraphText.parse(
      """
      graph 2
      input %x: float32[4096]
      constant %m: int64[] = [1048576]
      %all = Loop(%m, _, %x) {body=graph {
        input %i: int64[]
        input %go: bool[]
        input %x: float32[4096]
        output go = %go
        output slice = %x
      }}
      output all = %all
      """, operators: allOperators)
    var runner = ModelRunner(graph)
    do throws(ModelError) {
      _ = try runner.run([Tensor(vector: [Float](repeating: 1, count: 4096))])
      Issue.record("was run")
    } catch { #expect(error.code == .limitExceeded, "\(error)") }
  }

  @Test func plansMeetTheLimit() throws {
    var lines = [
      "graph 1", "input %x: float32[1]", "constant %shape: int64[1] = [1073741824]",
      "%v0: float32[1073741824] = Expand(%x, %shape)",
    ]
    for index in 1..<12 { lines.append("%v\(index) = Add(%v\(index - 1), %x)") }
    for index in 0..<12 { lines.append("output v\(index) = %v\(index)") }
    let graph = try GraphText.parse(lines.joined(separator: "\n"), operators: allOperators)
    var runner = ModelRunner(graph)
    do throws(ModelError) {
      _ = try runner.run([Tensor(vector: [1] as [Float])])
      Issue.record("was run")
    } catch { #expect(error.code == .limitExceeded && error.message.hasPrefix("RL2"), "\(error)") }
  }
}
