import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

@testable import ModelQuantization

@Suite struct AdaptiveRoundingTests {
  /// Rows whose neighbours have much in common.
  private static func sample(_ rows: Int, _ depth: Int, seed: UInt64) throws -> Tensor {
    let own = noise(try Shape([rows, depth]), seed: seed).floats()
    let common = noise(try Shape([rows]), seed: seed + 100).floats()
    return Tensor(
      try Shape([rows, depth]), own.indices.map { 0.3 * own[$0] + common[$0 / depth] })
  }

  /// Σ over the rows of the square of what the errors of a channel's weights add to a sum.
  private static func power(_ row: [Float], _ integers: [Int8], _ scale: Double, _ x: Tensor)
    -> Double
  {
    let values = x.floats()
    var power = 0.0
    for start in stride(from: 0, to: values.count, by: row.count) {
      var sum = 0.0
      for (index, integer) in integers.enumerated() {
        sum += (Double(row[index]) - Double(integer) * scale) * Double(values[start + index])
      }
      power += sum * sum
    }
    return power
  }

  /// One block of weights, and two of which one is short.
  @Test(arguments: [60, 150]) func errorsMakeUpForEachOther(depth: Int) throws {
    let x = try Self.sample(200, depth, seed: 3)
    let moments = try #require(
      try OperandMoments(x, of: Linear(), weight: try Shape([depth, 1])))
    let rounding = try #require(AdaptiveRounding(moments))
    for (scale, grid) in [(1.0 / 20, nil), (1.0 / 126, try WeightGrid(bits: 4, group: 16))] {
      var (made, plain) = (0.0, 0.0)
      for seed in 10..<26 as Range<UInt64> {
        let row = noise(try Shape([depth]), seed: seed).floats()
        let nearest =
          grid?.integers(row, scale: scale)
          ?? row.map { Int8((Double($0) / scale).rounded(.toNearestOrEven)) }
        let adapted = rounding.integers(row, scale: scale, grid)
        #expect(adapted.count == depth)
        plain += Self.power(row, nearest, scale, x)
        made += Self.power(row, adapted, scale, x)
      }
      #expect(made < 0.2 * plain)
    }
  }

  /// Where nothing is common there is nothing to make up for.
  @Test func numbersThatAreApartAreRoundedToTheNearest() throws {
    let depth = 40
    let x = Tensor(
      try Shape([2 * depth, depth]),
      (0..<2 * depth * depth).map { place -> Float in
        place / depth / 2 == place % depth ? (place / depth % 2 == 0 ? 1 : -1) : 0
      })
    let moments = try #require(try OperandMoments(x, of: Linear(), weight: try Shape([depth, 1])))
    let row = noise(try Shape([depth]), seed: 9).floats()
    let made = try #require(AdaptiveRounding(moments)).integers(row, scale: 0.02, nil)
    #expect(made == row.map { Int8((Double($0) / 0.02).rounded(.toNearestOrEven)) })
  }

  /// Weights that leave the grid by far do not drive their neighbours out of it.
  @Test func weightsThatAreCutOffAreMadeUpForByAStep() throws {
    let depth = 128
    let x = try Self.sample(300, depth, seed: 4)
    let moments = try #require(try OperandMoments(x, of: Linear(), weight: try Shape([depth, 1])))
    var row = noise(try Shape([depth]), seed: 9).floats()
    row[3] = 1e30
    row[70] = -1e9
    let made = try #require(AdaptiveRounding(moments)).integers(row, scale: 0.02, nil)
    #expect(made[3] == 127 && made[70] == -127)
    for (index, integer) in made.enumerated() where abs(row[index]) < 2 {
      #expect(abs(Float(integer) - row[index] / 0.02) < 40)
    }
  }

  @Test func sumsThatLeave64BitsAreNoMoments() throws {
    let x = Tensor(try Shape([1, 2]), [30_000, -20_000] as [Float])
    let one = try #require(try OperandMoments(x, of: Linear(), weight: try Shape([2, 1])))
    var all = one
    for _ in 0..<20 { all.add(one) }
    #expect(all.blocks.isEmpty && AdaptiveRounding(all) == nil)
    var late = one
    late.add(all)
    #expect(late.blocks.isEmpty && late.isSound(weights: 2))
  }

  @Test func momentsDoNotDependOnTheOrderOfSamples() throws {
    func moments(_ seeds: [UInt64]) throws -> [[Int64]] {
      var all: OperandMoments?
      for seed in seeds {
        let x = try Self.sample(300, 140, seed: seed)
        guard let own = try OperandMoments(x, of: Linear(), weight: try Shape([140, 1])) else {
          continue
        }
        if all?.add(own) == nil { all = own }
      }
      return try #require(all).blocks
    }
    #expect(try moments([1, 2, 3, 4]) == moments([3, 1, 4, 2]))
  }

  /// A column of an image's operand has what the filters multiply at one position.
  @Test(arguments: [10_000, 12]) func columnsAreWhatFiltersMultiply(most: Int) throws {
    let op = Convolution(window: Window(strides: [2, 1], dilations: [1, 2], pads: [1, 0, 0, 2]))
    let x = noise(try Shape([2, 3, 9, 8]), seed: 5)
    let weight = noise(try Shape([4, 3, 3, 2]), seed: 6)
    let seen = try #require(try op.operandColumns(x, weight: weight.shape, most: most))
    #expect(seen.rows == 18 && seen.columns <= max(most, 2))
    let y = try op.reference(Operands([x, weight]))[0]
    let positions = y.shape.count(2..<4)
    let sums = (0..<seen.columns).map { column in
      (0..<seen.rows).reduce(0.0) {
        $0 + Double(weight.floats()[$1]) * Double(seen.values[$1 * seen.columns + column])
      }
    }
    // The first filter's results of both images.
    let results = (0..<2).flatMap { image in
      (0..<positions).map { Double(y.floats()[image * 4 * positions + $0]) }
    }
    if most > results.count {
      #expect(zip(sums, results).allSatisfy { abs($0 - $1) < 1e-5 } && sums.count == results.count)
    } else {
      #expect(sums.allSatisfy { sum in results.contains { abs($0 - sum) < 1e-5 } })
    }
  }

  @Test func layersWithoutOneOperandHaveNoMoments() throws {
    let x = noise(try Shape([1, 4, 5, 5]), seed: 5)
    let grouped = Convolution(groups: 2)
    #expect(try OperandMoments(x, of: grouped, weight: try Shape([4, 2, 1, 1])) == nil)
    #expect(
      try OperandMoments(x, of: TransposedConvolution(), weight: try Shape([4, 2, 2, 2])) == nil)
    let zeros = Tensor(try Shape([3, 4]), [Float](repeating: 0, count: 12))
    #expect(try OperandMoments(zeros, of: Linear(), weight: try Shape([4, 2])) == nil)
    for odd in [.nan, .infinity] as [Float] {
      let x = Tensor(try Shape([1, 4]), [1, odd, 2, 3])
      #expect(try OperandMoments(x, of: Linear(), weight: try Shape([4, 2])) == nil)
    }
  }

  @Test func adaptedWeightsLoseLess() throws {
    var graph = Graph()
    let shape = try Shape([64, 48])
    let x = try graph.addInput("x", TensorType(.float32, shape))
    let w = graph.addConstant(noise(try Shape([32, 48]), seed: 5), named: "w")
    let y = try graph.appendOne(Linear(transposeWeight: true), named: "y", to: [x, w])
    try graph.addOutput("y", y)
    let prepared = try Quantizer.prepared(graph)
    var calibration = Calibration(prepared, watchesOperands: true)
    for seed in 10..<14 {
      try calibration.observe([try Self.sample(64, 48, seed: UInt64(seed))])
    }
    #expect(calibration.seen.moments.count == 1)
    func error(_ rounding: WeightRounding) throws -> Double {
      var quantizer = Quantizer(method: .minMax, rounding: rounding)
      quantizer.grid = try WeightGrid(bits: 4, group: 16)
      let input = try Self.sample(64, 48, seed: 77)
      let made = try ReferenceExecutor(quantizer.quantize(calibration).graph).run([input])[0]
      let wanted = try ReferenceExecutor(graph).run([input])[0]
      return zip(made.doubles(), wanted.doubles()).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    #expect(try error(.adaptive) < 0.5 * error(.corrected))
  }
}

extension OperandMoments {
  /// Those of one sample.
  fileprivate init?(
    _ operand: Tensor, of op: any WeightedOperator, weight: Shape
  ) throws(ModelError) {
    guard let sample = try Sample(operand, of: op, weight: weight) else { return nil }
    self.init(weights: sample.rows)
    add(sample)
  }
}
