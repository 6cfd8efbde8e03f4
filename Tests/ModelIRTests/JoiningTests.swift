import ModelIR
import TensorCore
import Testing

/// Several graphs as one.
@Suite struct JoiningTests {
  private static func graph(_ input: String, _ output: String, _ type: String = "float32[N]") throws
    -> Graph
  {
    try GraphText.parse(
      "graph 2\ninput %\(input): \(type)\n%\(output): \(type) = EveryField(%\(input))\noutput \(output) = %\(output)\n",
      operators: [EveryField.self])
  }

  private static let link = [Graph.Joint("b", "y"): Graph.Joint("a", "y")]

  @Test func whatIsLinkedStaysInside() throws {
    let graphs = [
      (name: "a", graph: try Self.graph("x", "y")), (name: "b", graph: try Self.graph("y", "z")),
      (name: "c", graph: try Self.graph("x", "w")),
    ]
    let joined = try Graph(
      joining: graphs, links: Self.link,
      outputs: [Graph.Joint("b", "z"), Graph.Joint("c", "w")])
    try joined.verify()
    #expect(joined.inputs.map(\.name) == ["x"])
    #expect(joined.outputs.map(\.name) == ["z", "w"])
    #expect(joined.nodes.map(\.name) == ["a.y", "b.z", "c.w"])
    #expect(joined.nodes[1].inputs == [joined.nodes[0].outputs[0]])
    #expect(joined.nodes[2].inputs == joined.nodes[0].inputs)
  }

  @Test func whatDoesNotFitIsNamed() throws {
    let (a, b) = (try Self.graph("x", "y"), try Self.graph("y", "z"))
    func expect(
      _ code: ModelError.Code, _ graphs: [(name: String, graph: Graph)], _ outputs: [Graph.Joint],
      _ location: SourceLocation = #_sourceLocation
    ) {
      let error = #expect(throws: ModelError.self, sourceLocation: location) {
        try Graph(joining: graphs, links: Self.link, outputs: outputs)
      }
      #expect(error?.code == code, sourceLocation: location)
    }
    expect(.invalidGraph, [("b", b), ("a", a)], [])
    expect(.invalidGraph, [("a", a), ("b", b)], [Graph.Joint("b", "none")])
    expect(.shapeMismatch, [("a", a), ("c", try Self.graph("x", "z", "float32[2]"))], [])
  }
}
