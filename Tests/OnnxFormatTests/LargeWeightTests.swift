import ModelIR
import OnnxFormat
import TensorCore
import Testing

/// Weights that are large enough to be read straight from the file.
@Suite struct LargeWeightTests {
  static let count = 3000
  static let values = (0..<count).map { Float($0) }

  static func model(_ weight: [UInt8]) -> ModelBuilder {
    var model = ModelBuilder()
    model.inputs = [ModelBuilder.port("x", [.fixed(count)])]
    model.outputs = [ModelBuilder.port("y", nil)]
    model.initializers = [ModelBuilder.tensor("small", dims: [1], floats: [2]), weight]
    model.nodes = [
      ModelBuilder.node("Add", ["x", "w"], ["sum"]),
      ModelBuilder.node("Mul", ["sum", "small"], ["y"]),
    ]
    return model
  }

  static func weight(_ graph: Graph, _ name: String = "w") -> Tensor? {
    graph.values.first { $0.name == name }?.fact.constant
  }

  @Test func largeAndSmallWeightsKeepTheirPlaces() throws {
    let bytes = LargeWeightTests.model(
      ModelBuilder.tensor(
        "w", dims: [LargeWeightTests.count], raw: LargeWeightTests.values.rawBytes)
    ).bytes
    let graph = try OnnxReader().graph(bytes: bytes)
    #expect(LargeWeightTests.weight(graph)?.floats() == LargeWeightTests.values)
    #expect(LargeWeightTests.weight(graph, "small")?.floats() == [2])
  }

  @Test func theLastOfTwoRawDataCounts() throws {
    let zeros = [UInt8](repeating: 0, count: 4 * LargeWeightTests.count)
    var weight = ModelBuilder.tensor("w", dims: [LargeWeightTests.count], raw: zeros)
    weight += ModelBuilder.message { $0.counted(9, LargeWeightTests.values.rawBytes) }
    let graph = try OnnxReader().graph(bytes: LargeWeightTests.model(weight).bytes)
    #expect(LargeWeightTests.weight(graph)?.floats() == LargeWeightTests.values)
  }

  @Test(arguments: [0, 1, 4 * count - 1, 4 * count + 4])
  func rawDataOfAnotherSizeAreMalformed(size: Int) throws {
    let raw = [UInt8](repeating: 0, count: size)
    let bytes = LargeWeightTests.model(
      ModelBuilder.tensor("w", dims: [LargeWeightTests.count], raw: raw)
    ).bytes
    let error = #expect(throws: ModelError.self) { try OnnxReader().graph(bytes: bytes) }
    #expect(error?.code == .malformedInput)
  }

  @Test func truncatedWeightsAreMalformed() throws {
    let bytes = LargeWeightTests.model(
      ModelBuilder.tensor(
        "w", dims: [LargeWeightTests.count], raw: LargeWeightTests.values.rawBytes)
    ).bytes
    for length in stride(from: 50, to: bytes.count, by: 997) {
      let error = #expect(throws: ModelError.self) {
        try OnnxReader().graph(bytes: Array(bytes[..<length]))
      }
      #expect(error?.code == .malformedInput)
    }
  }
}
