import ModelIR
import ModelOperators
import ModelQuantization
import ModelRuntime
import TensorCore
import Testing

/// Conversions that no quantizer would write: adopted with the same values, left as they are, or refused.
@Suite struct AdoptionOddityTests {
  static let scales: [Float] = [0.02, 0, -0.02, .nan, .infinity, 0x1p-140, 0x1p120]

  private func parameters(
    _ graph: inout Graph, _ scales: [Float], _ zero: Int64, _ element: ElementType
  ) throws -> [ValueID] {
    let shape = try Shape(scales.count == 1 ? [] : [scales.count])
    let zeros = Tensor(
      element, shape, integers: [Int64](repeating: zero, count: scales.count))
    return [
      graph.addConstant(Tensor(shape, scales), named: "scale"),
      graph.addConstant(zeros, named: "zero"),
    ]
  }

  /// The greatest difference between a graph and its adopted form, where both run.
  private func difference(_ graph: Graph, _ x: Tensor) throws -> Double {
    let adopted: Graph
    do { adopted = try Adoption(of: graph).graph } catch { return 0 }
    let right = try ReferenceExecutor(graph).run([x])[0].doubles()
    let own = try ReferenceExecutor(adopted).run([x])[0].doubles()
    return zip(right, own).map { $0.isFinite && $1.isFinite ? abs($0 - $1) : 0 }.max() ?? 0
  }

  @Test(arguments: scales, [ElementType.int8, .uint8, .uint16, .int4])
  func activations(scale: Float, element: ElementType) throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([2, 3])))
    let given = try parameters(&graph, [scale], 3, element)
    let q = try graph.appendOne(QuantizeLinear(), named: "q", to: [x] + given)
    let d = try graph.appendOne(DequantizeLinear(), named: "d", to: [q] + given)
    let y = try graph.appendOne(Sigmoid(), named: "y", to: [d])
    let again = try parameters(&graph, [1 / 256], 0, .uint8)
    let r = try graph.appendOne(QuantizeLinear(), named: "r", to: [y] + again)
    try graph.addOutput(
      "y", try graph.appendOne(DequantizeLinear(), named: "z", to: [r] + again))
    let sample = Tensor(try Shape([2, 3]), [-2, -0.1, 0, 0.3, 1, .infinity] as [Float])
    #expect(try difference(graph, sample) <= 1.01 / 256)
  }

  @Test(arguments: [0, 1, -1, -2], [1, 3, 4])
  func weightScales(axis: Int, count: Int) throws {
    for (element, zero) in [(ElementType.int8, 0), (.int8, -5), (.uint8, 0), (.uint8, 128)] {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType(.float32, try Shape([2, 4])))
      let given = try parameters(&graph, [0.02], 0, .int8)
      let q = try graph.appendOne(QuantizeLinear(), named: "q", to: [x] + given)
      let d = try graph.appendOne(DequantizeLinear(), named: "d", to: [q] + given)
      let low = element == .int8 ? -128 : 0
      let steps = Tensor(
        element, try Shape([4, 3]), integers: (0..<12).map { Int64(low + $0 * 255 / 11) })
      var dequantize = DequantizeLinear()
      dequantize.axis = axis
      let w: ValueID
      do {
        w = try graph.appendOne(
          dequantize, named: "w",
          to: [graph.addConstant(steps, named: "steps")]
            + parameters(
              &graph, (0..<count).map { 0.01 * Float($0 + 1) }, Int64(zero), element))
      } catch let error as ModelError {
        #expect(error.code == .shapeMismatch)
        continue
      }
      try graph.addOutput("y", try graph.appendOne(MatMul(), named: "y", to: [d, w]))
      let sample = Tensor(
        try Shape([2, 4]), [-2, -0.1, 0, 0.3, 1, 1.4, 0.05, 0.9] as [Float])
      #expect(try difference(graph, sample) < 1e-4, "\(element), \(zero)")
    }
  }

  @Test func emptyTensorsAreNoTrap() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([0, 4])))
    let given = try parameters(&graph, [0.02], 0, .int8)
    let q = try graph.appendOne(QuantizeLinear(), named: "q", to: [x] + given)
    let d = try graph.appendOne(DequantizeLinear(), named: "d", to: [q] + given)
    let steps = graph.addConstant(Tensor(try Shape([4, 0]), [Int8]()), named: "steps")
    let w = try graph.appendOne(DequantizeLinear(), named: "w", to: [steps] + given)
    try graph.addOutput("y", try graph.appendOne(MatMul(), named: "y", to: [d, w]))
    #expect(try difference(graph, Tensor(try Shape([0, 4]), [Float]())) == 0)
  }
}
