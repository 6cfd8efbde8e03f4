import Foundation
import ModelIR
import ModelOperators
import ModelVerification
import TensorCore
import Testing

@Suite struct ComparisonTests {
  @Test func toleranceIsAbsolutePlusRelativeToTheReference() {
    let tolerance = Tolerance(absolute: 0.5, relative: 0.25)
    #expect(tolerance.admits(5.5, for: 4))
    #expect(!tolerance.admits(5.6, for: 4))
    #expect(!tolerance.admits(2.4, for: 4))
    #expect(tolerance.admits(.nan, for: .nan))
    #expect(tolerance.admits(.infinity, for: .infinity))
    #expect(!tolerance.admits(.infinity, for: -.infinity))
    #expect(!Tolerance(absolute: .infinity).admits(.infinity, for: 0))
    #expect(!tolerance.admits(0, for: .nan))
  }

  @Test func theWorstElementIsNamed() throws {
    let comparison = Comparison(
      "y", Tensor(try Shape([2, 2]), [Float(1), 2, 7, 4.5]),
      against: Tensor(try Shape([2, 2]), [Float(1), 2, 3, 4]), within: Tolerance(absolute: 0.25))
    #expect(!comparison.passed)
    #expect(comparison.outside == 2)
    #expect(comparison.worst?.position == [1, 0])
    #expect(comparison.worst?.actual == 7)
    #expect(comparison.worst?.expected == 3)
  }

  @Test func missingExtraAndForeignOutputsFail() throws {
    let x = Tensor(vector: [Float(1)])
    let compared = Comparison.all(
      [NamedTensor("a", x), NamedTensor("c", x)],
      against: [NamedTensor("a", x), NamedTensor("b", x)]
    ) { _ in .exact }
    #expect(compared.map(\.name) == ["a", "b", "c"])
    #expect(compared.map(\.passed) == [true, false, false])
    let other = Comparison("a", Tensor(vector: [Int32(1)]), against: x, within: .exact)
    #expect(other.problem == "it is int32, not float32")
    let reshaped = Comparison("a", Tensor(scalar: Float(1)), against: x, within: .exact)
    #expect(reshaped.problem == "its shape is [], not [1]")
  }

  @Test func wideIntegersAreComparedAsIntegers() throws {
    let big = Int64(1) << 60
    let comparison = Comparison(
      "n", Tensor(vector: [big + 1]), against: Tensor(vector: [big]), within: .exact)
    #expect(!comparison.passed)
    #expect(
      Comparison("n", Tensor(vector: [big]), against: Tensor(vector: [big]), within: .exact).passed)
  }

  @Test func layersAreMatchedByNameWorstFirst() throws {
    func layer(_ name: String, _ values: [Float]) -> LayerComparison.Layer {
      LayerComparison.Layer(name: name, kind: "Conv", tensor: Tensor(vector: values))
    }
    let comparison = LayerComparison(
      [layer("a", [1, 2]), layer("b", [1, 3]), layer("c", [9, 9]), layer("d", [.nan, 1])],
      against: [layer("a", [1, 2.5]), layer("b", [1, 1]), layer("d", [1, 1]), layer("c", [9])])
    #expect(comparison.rows.map(\.name) == ["d", "b", "a"])
    #expect(comparison.unmatched == ["c"])
    #expect(comparison.first(below: 20)?.name == "a")
    #expect(comparison.first(below: -10)?.name == "d")
  }

  @Test func twoGraphsAreComparedLayerByLayer() throws {
    func graph(adding value: Float) throws -> Graph {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType(.float32, [2]))
      let sum = try graph.appendOne(
        Add(), named: "sum", to: [x, graph.addConstant(Tensor(scalar: value), named: "c")])
      try graph.addOutput("y", graph.appendOne(Relu(), named: "relu", to: [sum]))
      return graph
    }
    let comparison = try LayerComparison(
      graph(adding: 1), against: graph(adding: 1.5), on: [Tensor(vector: [Float(-3), 1])])
    #expect(comparison.rows.map(\.name) == ["sum", "relu"])
    #expect(comparison.rows.map(\.kind) == ["Add", "Relu"])
    #expect(comparison.rows.map(\.metrics.maximumAbsoluteError) == [0.5, 0.5])
  }

  @Test func goldenCasesRunAndReport() throws {
    let x = Tensor(vector: [Float(1), 2])
    let golden = GoldenSet([
      GoldenCase(name: "same", inputs: [NamedTensor("x", x)], outputs: [NamedTensor("y", x)]),
      GoldenCase(name: "broken", inputs: [], outputs: [NamedTensor("y", x)]),
    ])
    let report = golden.verify(title: "identity") { (golden) throws(ModelError) in
      [NamedTensor("y", try golden.inputs(named: ["x"])[0])]
    }
    #expect(report.cases.map(\.passed) == [true, false])
    #expect(!report.passed)
    #expect(report.cases[1].failure == "missing-input: golden 'broken' has no input 'x'")
    let text = report.text()
    #expect(text.hasPrefix("identity: FAILED\n"))
    #expect(text.contains("same    y       passed"))
  }

  @Test func reportsSurviveJSONWithInfinities() throws {
    let layers = LayerComparison(
      [.init(name: "a", kind: "Relu", tensor: Tensor(vector: [Float(1)]))],
      against: [.init(name: "a", kind: "Relu", tensor: Tensor(vector: [Float(1)]))])
    let report = VerificationReport(
      title: "t",
      cases: [
        .init(
          name: "c",
          comparisons: [
            Comparison(
              "y", Tensor(vector: [Float.infinity]), against: Tensor(vector: [Float(1)]),
              within: .exact)
          ], digests: ["y": "00"])
      ], layers: layers)
    let json = try report.json()
    #expect(String(decoding: json, as: UTF8.self).contains("\"signalToNoise\" : \"inf\""))
    #expect(try VerificationReport(json: json) == report)
    #expect(try report.json() == json)
    #expect(throws: ModelError.self) { try VerificationReport(json: Data("{}".utf8)) }
  }
}
