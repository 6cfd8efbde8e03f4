import ModelIR
import ModelOperators
import TensorCore
import Testing

@Suite struct MemoryReadTests {
  /// Three slots for each of two heads; what is expected is numpy's in float64.
  private static let keys: [Float] = [2, 0, 0, 2, -1, 1, 1, 0, 0, 3, 2, -2]
  private static let values: [Float] = [1, 2, -3, 0.5, 4, -1, 0.25, 8, -2, 2, 1, 1]

  private func expect(_ tensor: Tensor, _ wanted: [Double]) {
    #expect(zip(tensor.doubles(), wanted).allSatisfy { abs($0 - $1) < 1e-6 })
    #expect(tensor.count == wanted.count)
  }

  @Test func eachHeadWeighsItsSlots() throws {
    let made = try evaluate(
      MemoryRead(heads: 2, epsilon: 1e-12), floats(2, 4, values: [3, -4, 0.6, 0.8, 0, 0, 1, 2]),
      floats(6, 2, values: Self.keys), floats(6, 2, values: Self.values),
      floats(2, values: [0.5, -0.5]))
    expect(
      made[0],
      [-0.0658659240257532, 3.982635811178544, -0.5475655887754092, 2.5404638864802926])
    // A query of zeros has no direction: its shares are even.
    expect(
      made[1],
      [
        0.8809923463088246, 0.053573199751377344, 0.06543445393979802, 0.13481582375483342,
        0.8155882063411709, 0.04959596990399576, 1.0 / 3, 1.0 / 3, 1.0 / 3,
        0.09418071130858284, 0.8811989073202128, 0.024620381371204265,
      ])
  }

  @Test func oneHeadReadsRowsOfAnyRank() throws {
    let made = try evaluate(
      MemoryRead(), floats(1, 1, 2, values: [3, -4]),
      floats(3, 2, values: Array(Self.keys.prefix(6))),
      floats(3, 2, values: Array(Self.values.prefix(6))))
    expect(made[0], [0.9820105628138847, 1.72333683855354])
    #expect(made.map(\.shape.dimensions) == [[1, 1, 2], [1, 1, 3]])
  }

  @Test func oneSlotIsAllThatThereIs() throws {
    let made = try evaluate(
      MemoryRead(), floats(2, 1, values: [-7, 0.5]), floats(1, 1, values: [3]),
      floats(1, 2, values: [4, 5]))
    #expect(made[0].floats() == [4, 5, 4, 5])
    #expect(made[1].floats() == [1, 1])
  }

  /// The address stays; what is read is the other slots' sum, and off by no more than is said.
  @Test func slotsOfSmallSharesAreNotRead() throws {
    let op = MemoryRead(heads: 2, epsilon: 1e-12, leastShare: 0.06)
    let (query, keys, values) = (
      floats(2, 4, values: [3, -4, 0.6, 0.8, 0, 0, 1, 2]), floats(6, 2, values: Self.keys),
      floats(6, 2, values: Self.values)
    )
    let whole = try evaluate(MemoryRead(heads: 2, epsilon: 1e-12), query, keys, values)
    let made = try evaluate(op, query, keys, values)
    #expect(made[1] == whole[1])
    var expected = [Double](repeating: 0, count: 4)
    for (index, share) in whole[1].doubles().enumerated() where share >= 0.06 {
      for column in 0..<2 {
        expected[index / 6 * 2 + column] += share * Double(Self.values[index % 6 * 2 + column])
      }
    }
    expect(made[0], expected)
    let loss = op.greatestLoss(values)
    #expect(loss > 0 && loss < 2)
    #expect(MemoryRead(heads: 2, epsilon: 1e-12).greatestLoss(values) == 0)
    for (a, b) in zip(made[0].doubles(), whole[0].doubles()) { #expect(abs(a - b) <= loss) }
    #expect(made[0] != whole[0])
  }

  @Test func whatDoesNotFitIsRefused() {
    func reject(
      _ clause: String, _ op: MemoryRead = MemoryRead(), _ types: TensorType...,
      sourceLocation: SourceLocation = #_sourceLocation
    ) {
      expectRejection(clause, sourceLocation: sourceLocation) { () throws(ModelError) in
        _ = try op.types(types)
      }
    }
    func float(_ dimensions: Dimension...) -> TensorType { TensorType(.float32, dimensions) }
    let two = MemoryRead(heads: 2, epsilon: 1e-12)
    reject("KV1", MemoryRead(), TensorType(.int64, [3, 4]), float(6, 4), float(6, 2))
    reject("KV2", MemoryRead(), float(3, 5), float(6, 4), float(6, 2))
    reject("KV2", MemoryRead(), float(3, 4), float(6, 4), float(5, 2))
    reject("KV2", MemoryRead(), float(3, 4), float(6, 4), float(6))
    reject("KV2", two, float(3, 4), float(6, 4), float(6, 2))
    reject("KV3", MemoryRead(heads: 0, epsilon: 1), float(3, 0), float(6, 4), float(6, 2))
    reject("KV3", MemoryRead(heads: 1, epsilon: 0), float(3, 4), float(6, 4), float(6, 2))
    reject("KV4", two, float(3, 8), float(5, 4), float(5, 2))
    reject("KV4", MemoryRead(), float(3, 4), float(0, 4), float(0, 2))
    for share in [-0.1, 1.1, .nan, 0.4] as [Float] {
      let op = MemoryRead(heads: 2, epsilon: 1, leastShare: share)
      reject("KV6", op, float(3, 4), float(6, 2), float(6, 2))
    }
    reject("KV5", MemoryRead(), float(3, 4), float(6, 4), float(6, 2), float(3))
  }

  /// Rows of more than one block, a width that is no multiple of a vector's.
  @Test(arguments: [1, 3])
  func theKernelAgrees(heads: Int) throws {
    var samples = Samples(17)
    let operands = [
      try samples.tensor([2, 40, heads * 7]), try samples.tensor([heads * 9, 7]),
      try samples.tensor([heads * 9, 21]), try samples.tensor([21]),
    ]
    for leastShare in [0, 0.08] as [Float] {
      let op = MemoryRead(heads: heads, epsilon: 1e-12, leastShare: leastShare)
      try expectAgreement(op, operands)
      try expectAgreement(op, Array(operands.prefix(3)))
    }
  }

  @Test(arguments: [1, 2]) func theStepsOfASparseReadAgree(heads: Int) throws {
    var samples = Samples(23)
    var graph = Graph()
    let query = try samples.tensor([5, heads * 4])
    let x = try graph.addInput("x", query.type)
    let keys = graph.addConstant(try samples.tensor([heads * 6, 4]), named: "keys")
    let values = graph.addConstant(try samples.tensor([heads * 6, 3]), named: "values")
    let op = MemoryRead(heads: heads, epsilon: 1e-12, leastShare: 0.16)
    let made = try graph.append(op, named: "read", to: [x, keys, values])
    for (name, id) in zip(["y", "address"], made) { try graph.addOutput(name, id) }
    let whole = try graph.evaluate([query])
    let steps = try graph.withMemoriesInSteps().evaluate([query])
    for (a, b) in zip(whole, steps) { expect(a, b.doubles()) }
  }
}
