import Foundation
import Maquette
import ModelIR
import ModelOperators
import ModelQuantization
import OnnxFormat
import TensorCore
import Testing

/// What passes and what does not, on graphs of one operator or two.
@Suite final class VerificationTests: FolderTests {
  /// Writes a model that makes each output of `x`, three floats.
  private func model(_ outputs: [(String, any Operator)]) throws -> String {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([3])))
    for (name, op) in outputs {
      try graph.addOutput(name, try graph.appendOne(op, named: name, to: [x]))
    }
    try OnnxWriter().write(graph, path: path("m.onnx"))
    return path("m.onnx")
  }

  /// A verification against one golden.
  private func verification(
    _ model: String, _ arrays: [(name: String, tensor: Tensor)]
  ) throws -> Verification {
    try FileManager.default.createDirectory(
      atPath: path("golden"), withIntermediateDirectories: true)
    try NumpyArchive.write(arrays, path: path("golden/set_0.npz"))
    var verification = Verification(model: model)
    verification.golden = path("golden")
    return verification
  }

  @Test func valuesThatAreNotFiniteFailWhateverIsDemanded() throws {
    let model = try model([("y", Log())])
    var request = try verification(
      model,
      [
        ("x", Tensor(vector: [-1, 2, -3] as [Float])),
        ("y", Tensor(vector: [1, 0.6931472, 3] as [Float])),
      ])
    #expect(try !request.run().passed)
    request.signalToNoise = 100
    let outcome = try request.run()
    #expect(!outcome.passed)
    #expect(outcome.text.contains("2 of 3 not finite"), "\(outcome.text)")
    // Where the golden is not a number either there is nothing wrong.
    request = try verification(
      model,
      [
        ("x", Tensor(vector: [-1, 2, -3] as [Float])),
        ("y", Tensor(vector: [.nan, 0.6931472, .nan] as [Float])),
      ])
    request.signalToNoise = 100
    #expect(try request.run().passed)
  }

  @Test func aConversionMissesWhatIsNotFinite() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, try Shape([1, 1, 2, 2])))
    let one = graph.addConstant(Tensor(try Shape([1, 1, 1, 1]), [1] as [Float]), named: "one")
    let sum = try graph.appendOne(Convolution(), named: "sum", to: [x, one])
    try graph.addOutput("y", try graph.appendOne(Log(), named: "log", to: [sum]))
    try OnnxWriter().write(graph, path: path("m.onnx"))
    try FileManager.default.createDirectory(
      atPath: path("samples"), withIntermediateDirectories: true)
    let values = Tensor(try Shape([1, 1, 2, 2]), [10, 5, 1e-6, 2] as [Float])
    try NumpyArchive.write([("x", values)], path: path("samples/set_0.npz"))
    var conversion = Conversion(model: path("m.onnx"), output: path("q.maq"))
    conversion.precision = .int8
    conversion.calibration = path("samples")
    // Nothing then makes up for what is rounded to 0, of which there is no logarithm.
    (conversion.wideShare, conversion.weightNoise, conversion.rounding) = (0, 0, .nearest)
    conversion.keptFloat = ["log"]
    let outcome = try conversion.run()
    #expect(!outcome.passed)
    #expect(outcome.text.contains("1 of 4 not finite"), "\(outcome.text)")
    var own = Verification(model: path("q.maq"))
    own.signalToNoise = -100
    #expect(try !own.run().passed)
  }

  @Test func aGoldenThatLacksAnOutputFails() throws {
    let model = try model([("y", Neg()), ("z", Abs())])
    let x: (name: String, tensor: Tensor) = ("x", Tensor(vector: [1, 2, 3] as [Float]))
    let y = Tensor(vector: [-1, -2, -3] as [Float])
    let outcome = try verification(model, [x, ("y", y)]).run()
    #expect(!outcome.passed && outcome.text.contains("there is none"), "\(outcome.text)")
    #expect(
      try verification(model, [x, ("y", y), ("z", x.tensor)]).run().passed)
  }

  @Test func anotherElementTypeFailsWhereARatioIsDemandedToo() throws {
    var request = try verification(
      try model([("y", Neg())]),
      [
        ("x", Tensor(vector: [1, 2, 3] as [Float])),
        ("y", Tensor(vector: [-1, -2, -3] as [Double])),
      ])
    #expect(try !request.run().passed)
    request.signalToNoise = 20
    #expect(try !request.run().passed)
  }

  @Test func aToleranceThatIsNotGivenStays() throws {
    let model = try model([("y", Neg())])
    var request = try verification(
      model,
      [
        ("x", Tensor(vector: [0, 1, 2] as [Float])),
        ("y", Tensor(vector: [5e-5, -1, -2] as [Float])),
      ])
    request.relative = 0.1
    #expect(try request.run().passed)
    request.absolute = 0
    #expect(try !request.run().passed)
    (request.absolute, request.relative) = (1e-6, nil)
    #expect(try !request.run().passed)
  }

  @Test func theReferenceOwesNoBytes() throws {
    var request = try verification(
      try model([("y", Neg())]),
      [
        ("x", Tensor(vector: [1, 2, 3] as [Float])),
        ("y", Tensor(vector: [-1, -2, -3] as [Float])),
      ])
    request.exact = true
    #expect(try request.run().passed)
    request.options = ExecutionOptions(reference: true)
    let error = #expect(throws: ModelError.self) { try request.run() }
    #expect(error?.code == .usage)
  }

  @Test func outputsOfLikeNamesHaveFilesOfTheirOwn() throws {
    let model = try model([("a/b", Neg()), ("a_b", Abs()), ("a:b", Sqrt())])
    let x = Tensor(vector: [1, 4, 9] as [Float])
    try NumpyArray.write(x, path: path("x.npy"))
    _ = try Execution(model: model, inputs: [("x", path("x.npy"))], output: path("out")).run()
    var written: [[Float]] = []
    for name in ["a_b", "a_b_1", "a_b_2"] {
      written.append(try NumpyArray.read(path: path("out/\(name).npy")).floats())
    }
    #expect(written == [[-1, -4, -9], [1, 4, 9], [1, 2, 3]])
  }
}
