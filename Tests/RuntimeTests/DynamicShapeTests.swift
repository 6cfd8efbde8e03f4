import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

/// One graph on inputs of many shapes.
@Suite struct DynamicShapeTests {
  /// An image of any size through two layers, and a vector for each picture that scales its means.
  static func network() throws -> Graph {
    var graph = Graph()
    let image = try graph.addInput(
      "image", TensorType(.float32, [.symbol("N"), 3, .symbol("H"), .symbol("W")]))
    let gain = try graph.addInput("gain", TensorType(.float32, [.symbol("N"), 4]))
    let weight = graph.addConstant(ramp(try Shape([4, 3, 3, 3])), named: "weight")
    let made = try graph.appendOne(
      Convolution(window: Window(strides: [2, 2], pads: [1, 1, 1, 1])), named: "conv",
      to: [image, weight, nil])
    let pooled = try graph.appendOne(GlobalAveragePool(), named: "pool", to: [made])
    let target = graph.addConstant(Tensor(vector: [Int64(0), -1]), named: "target")
    let flat = try graph.appendOne(Reshape(), named: "flat", to: [pooled, target])
    let scaled = try graph.appendOne(Mul(), named: "scaled", to: [flat, gain])
    try graph.addOutput("means", scaled)
    try graph.addOutput("map", made)
    return graph
  }

  static func ramp(_ shape: Shape) -> Tensor {
    Tensor(shape, (0..<shape.count).map { Float(($0 * 7) % 11) / 5 - 1 })
  }

  static func inputs(_ n: Int, _ h: Int, _ w: Int) throws -> [Tensor] {
    [ramp(try Shape([n, 3, h, w])), ramp(try Shape([n, 4]))]
  }

  @Test func batchesAndSizesShareOneGraph() throws {
    let graph = try Self.network()
    var runner = ModelRunner(graph)
    for (n, h, w) in [(1, 8, 8), (3, 8, 8), (1, 5, 13), (2, 32, 7), (1, 1, 1)] {
      let inputs = try Self.inputs(n, h, w)
      let planned = try runner.run(inputs)
      let reference = try ReferenceExecutor(graph).run(inputs)
      #expect(planned.map(\.shape) == reference.map(\.shape))
      for (a, b) in zip(planned, reference) {
        #expect(zip(a.doubles(), b.doubles()).allSatisfy { abs($0 - $1) <= 1e-5 })
      }
    }
  }

  @Test func plansAreKeptForShapesThatComeAgain() throws {
    var runner = ModelRunner(try Self.network())
    let sizes = [(1, 8, 8), (2, 8, 8), (1, 9, 9), (1, 10, 8)]
    #expect(sizes.count == ModelRunner.keptPlans)
    for _ in 0..<3 {
      for (n, h, w) in sizes { _ = try runner.run(Self.inputs(n, h, w)) }
    }
    #expect(runner.plansMade == 4)
    // The shape that was not used for longest gives way to a new one.
    _ = try runner.run(Self.inputs(1, 11, 11))
    _ = try runner.run(Self.inputs(1, 10, 8))
    #expect(runner.plansMade == 5)
    _ = try runner.run(Self.inputs(1, 8, 8))
    #expect(runner.plansMade == 6)
  }

  /// Inputs that do not fit, and what is said of them.
  struct Misfit: Sendable, CustomTestStringConvertible {
    let image: [Int]
    let gain: [Int]
    let code: ModelError.Code
    let message: String
    var testDescription: String { "\(image) and \(gain)" }
  }

  @Test(arguments: [
    Misfit(
      image: [1, 4, 8, 8], gain: [1, 4], code: .shapeMismatch,
      message: "input 'image' has 4 on axis 1; 3 is needed there, as in float32[N×3×H×W]"),
    Misfit(
      image: [3, 8, 8], gain: [1, 4], code: .shapeMismatch,
      message: "input 'image' has 3 axes, [3×8×8]; 4 are needed: float32[N×3×H×W]"),
    Misfit(
      image: [2, 3, 8, 8], gain: [3, 4], code: .shapeMismatch,
      message: "input 'gain' has 3 on axis 0, but input 'image' has 2 on axis 0; "
        + "'N' is one extent: float32[N×4]"),
  ])
  func misfitsAreNamed(_ misfit: Misfit) throws {
    var runner = ModelRunner(try Self.network())
    let inputs = [Self.ramp(try Shape(misfit.image)), Self.ramp(try Shape(misfit.gain))]
    do throws(ModelError) {
      _ = try runner.run(inputs)
      Issue.record("\(misfit.image) and \(misfit.gain) were accepted")
    } catch {
      #expect(error.code == misfit.code)
      #expect(error.message == misfit.message)
    }
  }

  @Test func wrongTypesAndCountsAreNamed() throws {
    var runner = ModelRunner(try Self.network())
    var inputs = try Self.inputs(1, 8, 8)
    let image = inputs[0]
    inputs[0] = Tensor(.float64, image.shape, doubles: image.doubles())
    do throws(ModelError) {
      _ = try runner.run(inputs)
      Issue.record("float64 was accepted")
    } catch {
      #expect(error.code == .typeMismatch)
      #expect(error.message == "input 'image' is of float64; float32[N×3×H×W] is needed")
    }
    do throws(ModelError) {
      _ = try runner.run([image])
      Issue.record("one input was accepted")
    } catch {
      #expect(error.code == .invalidValue)
      #expect(error.message == "1 inputs given, 2 needed: 'image', 'gain'")
    }
  }
}
