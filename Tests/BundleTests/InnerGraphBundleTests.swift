import ModelBundle
import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Graphs that nodes hold, in bundles (`B26`).
@Suite struct InnerGraphBundleTests {
  static func contents(depth: Int = 2) throws -> BundleContents {
    let weights = Tensor(try Shape([64, 64]), (0..<4096).map { Float($0 % 17) })
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 64]))
    let w = graph.addConstant(weights, named: "w")
    var value = try graph.appendOne(MatMul(), named: "y", to: [x, w])
    try graph.addOutput("y", value)
    for level in 0..<depth {
      var outer = Graph()
      let x = try outer.addInput("x", TensorType(.float32, [.symbol("N"), 64]))
      let c = try outer.addInput("c", TensorType(.bool, []))
      if level > 0 {
        var inner = Graph()
        let id = try inner.addInput("x", TensorType(.float32, [.symbol("N"), 64]))
        let flag = inner.addConstant(Tensor(scalar: level.isMultiple(of: 2)), named: "flag")
        value = try inner.append(
          graph.nodes.last?.op ?? Identity(), named: "y", to: [flag, id])[0]
        try inner.addOutput("y", value)
        graph = inner
      }
      value = try outer.append(If(then: graph, else: graph), named: "y", to: [c, x])[0]
      try outer.addOutput("y", value)
      graph = outer
    }
    return BundleContents(graph, manifest: BundleManifest(tool: "tests", profile: "float"))
  }

  @Test func graphsWithinNodesReadBack() throws {
    let contents = try InnerGraphBundleTests.contents()
    let bytes = try Sample.writer().bytes(of: contents)
    let reader = try BundleReader(bytes: bytes)
    let again = try reader.contents(operators: allOperators)
    #expect(again.graph() == contents.graph())
    #expect(try reader.graphText().hasPrefix("graph 2\n"))
    #expect(try Sample.writer().bytes(of: again) == bytes)
    // The weights of four graphs and the flag of two, once each.
    #expect(reader.header.tensors.count == 2)
  }

  @Test func graphsWithoutInnerOnesAreStillVersionOne() throws {
    let reader = try BundleReader(bytes: try Sample.writer().bytes(of: try Sample.contents()))
    #expect(try reader.graphText().hasPrefix("graph 1\n"))
  }

  @Test func whatNoReaderTakesIsNotWritten() throws {
    var graph = Graph()
    try graph.addOutput("y", graph.addConstant(Tensor(scalar: true), named: "y"))
    for _ in 0...Graph.maximumDepth {
      var outer = Graph()
      let c = outer.addConstant(Tensor(scalar: true), named: "c")
      try outer.addOutput(
        "y", outer.appendOne(If(then: graph, else: graph), named: "y", to: [c]))
      graph = outer
    }
    expectFailure(.limitExceeded) {
      _ = try Sample.writer().bytes(
        of: BundleContents(graph, manifest: BundleManifest(tool: "tests", profile: "float")))
    }
  }
}
