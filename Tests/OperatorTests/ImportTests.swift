import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// Older forms of ONNX operators, and those that become others.
@Suite struct ImportTests {
  /// The outputs of one node of a foreign file.
  func run(
    _ kind: String, _ version: Int, _ operands: [Tensor?], outputs: Int = 1,
    _ attributes: [String: Attribute] = [:]
  ) throws -> [Tensor] {
    var graph = Graph()
    var ids: [ValueID?] = []
    for (index, operand) in operands.enumerated() {
      ids.append(try operand.map { try graph.addInput("x\(index)", $0.type) })
    }
    let node = ForeignNode(
      name: "node", kind: kind, domain: "", version: version, operands: ids,
      outputNames: (0..<outputs).map { "y\($0)" }, origin: "", attributes: attributes)
    let found = importableOperators.flatMap { $0.importers }.filter {
      $0.kind == kind && $0.domain.isEmpty && $0.versions.contains(version)
    }
    #expect(found.count == 1, "\(kind) \(version) has \(found.count) importers")
    for (index, id) in try #require(found.first).append(node, &graph).prefix(outputs).enumerated() {
      try graph.addOutput("y\(index)", id)
    }
    #expect(node.unreadAttributes.isEmpty)
    return try ReferenceExecutor(graph).run(operands.compactMap { $0 })
  }

  @Test func attributesThatBecameOperands() throws {
    let x = counting(2, 3)
    #expect(
      try run(
        "Slice", 9, [x], ["starts": .integers([1]), "ends": .integers([9]), "axes": .integers([1])])
        == [floats(2, 2, values: [1, 2, 4, 5])])
    #expect(
      try run("Pad", 2 + 4, [counting(2)], ["pads": .integers([1, 0]), "value": .float(7)])
        == [floats(3, values: [7, 0, 1])])
    #expect(try run("Squeeze", 11, [counting(1, 2)], ["axes": .integers([0])]) == [counting(2)])
    #expect(try run("Unsqueeze", 11, [counting(2)], ["axes": .integers([0])]) == [counting(1, 2)])
    #expect(
      try run("Split", 11, [counting(3)], outputs: 2, ["split": .integers([1, 2])])
        == [counting(1), floats(2, values: [1, 2])])
    #expect(
      try run("Clip", 6, [counting(4)], ["min": .float(1), "max": .float(2)])
        == [floats(4, values: [1, 1, 2, 2])])
    #expect(
      try run("TopK", 9, [counting(3)], outputs: 2, ["k": .integer(1)])
        == [floats(1, values: [2]), integers(2)])
    #expect(
      try run("ReduceSum", 12, [x], ["axes": .integers([1]), "keepdims": .integer(0)])
        == [floats(2, values: [3, 12])])
    #expect(try run("ReduceMax", 17, [x]) == [floats(1, 1, values: [5])])
  }

  @Test func operandsThatLineUpWithAnAxis() throws {
    let x = counting(2, 2, 2)
    let y = floats(2, values: [10, 20])
    #expect(
      try run("Add", 6, [x, y], ["broadcast": .integer(1), "axis": .integer(1)])
        == [floats(2, 2, 2, values: [10, 11, 22, 23, 14, 15, 26, 27])])
    #expect(
      try run("Add", 6, [x, y], ["broadcast": .integer(1)])
        == [floats(2, 2, 2, values: [10, 21, 12, 23, 14, 25, 16, 27])])
    #expect(
      try run("PRelu", 6, [floats(1, 2, 2, values: [-1, 1, -1, -2]), y])
        == [floats(1, 2, 2, values: [-10, 1, -20, -40])])
  }

  @Test func operatorsThatBecomeOthers() throws {
    let x = floats(2, values: [0, 2])
    #expect(try run("CastLike", 15, [x, integers(0)]) == [integers(0, 2)])
    #expect(
      try run("Scatter", 9, [x, integers(1), floats(1, values: [9])])
        == [floats(2, values: [0, 9])])
    #expect(
      try run("Dropout", 13, [x], outputs: 2) == [x, Tensor(vector: [true, true])])
    #expect(try run("SwiGLU", 28, [floats(1, values: [0]), floats(1, values: [5])])[0].count == 1)
  }

  @Test func typesThatAreNotHeld() {
    #expect(
      code { _ = try run("Cast", 19, [counting(1)], ["to": .integer(17)]) } == .unsupportedFeature)
  }
}
