import ModelIR
import ModelOperators
import ModelPasses
import ModelVerification
import TensorCore
import Testing

/// A rewrite that is wrong where the node is called "broken".
private struct Sabotage: Rewrite {
  static let name = "sabotage"

  func replacement(for node: Node, at site: inout RewriteSite) throws(ModelError) -> [ValueID]? {
    guard node.op is Relu else { return nil }
    let op: any Operator = node.name == "broken" ? Sigmoid() : LeakyRelu(alpha: 0)
    return try site.replace(node, by: op, to: site.operands)
  }
}

@Suite struct BisectionTests {
  private func graph(broken: Int, of count: Int) throws -> Graph {
    var graph = Graph()
    var value = try graph.addInput("x", TensorType(.float32, [4]))
    for index in 0..<count {
      value = try graph.appendOne(
        Identity(), named: "copy\(index)", to: [value])
      let one = graph.addConstant(Tensor(scalar: Float(1)), named: "one\(index)")
      value = try graph.appendOne(Sub(), named: "sub\(index)", to: [one, value])
      value = try graph.appendOne(
        Relu(), named: index == broken ? "broken" : "relu\(index)", to: [value])
    }
    try graph.addOutput("y", value)
    return graph
  }

  @Test(arguments: [0, 3, 6])
  func theGuiltyRewriteIsNamed(broken: Int) throws {
    let pipeline = Pipeline([Rewriting(RemoveIdentity()), Rewriting(Sabotage())])
    let graph = try graph(broken: broken, of: 7)
    let finding = try Bisection(pipeline, within: Tolerance(absolute: 1e-6))
      .find(in: graph, on: [Tensor(vector: [Float(0.75), 0.25, 0.5, 0])])
    #expect(finding?.pass == "sabotage")
    #expect(finding?.node == "broken")
    #expect(finding?.number == 7 + broken + 1)
    #expect(finding?.problem.hasPrefix("output 'y': ") == true)
  }

  @Test func aPipelineThatKeepsTheValuesHasNoGuiltyRewrite() throws {
    let graph = try graph(broken: -1, of: 3)
    #expect(
      try Bisection(.portable, within: Tolerance(absolute: 1e-6))
        .find(in: graph, on: [Tensor(vector: [Float(0.75), 0.25, 0.5, 0])]) == nil)
  }
}
