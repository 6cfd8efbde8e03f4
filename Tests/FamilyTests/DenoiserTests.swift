import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import ModelOperators
import OnnxFormat
import TensorCore
import Testing

@testable import ModelFamilies

@Suite struct DenoiserTests {
  static let folder = AudioLipMemoryTests.golden.appending(path: "families/denoiser")

  private func graph(_ name: String) throws -> Graph {
    try OnnxReader().graph(path: Self.folder.appending(path: "\(name).onnx").path())
  }

  @Test(arguments: [
    "restoration-d1", "restoration-d2", "restoration-d3", "restoration-d4", "static-prefixed-d2",
    "static-prefixed-d3",
  ])
  func everyDialectIsRecognisedAndSplit(name: String) throws {
    let graph = try graph(name)
    let model = try #require(FamilyModel(graph))
    #expect(model.family.name == "denoiser")
    #expect(model.parts[0].role == "restoration")
    #expect(model.parts[0].trait("widths") == "8 12 16")
    let pieces = try model.family.split(graph)
    #expect(pieces.map(\.name) == ["body", "primary-head", "auxiliary-head"])
    let parts = try #require(
      FamilyModel(pieces.map { (name: $0.name ?? "", graph: $0.graph) }))
    #expect(parts.parts.map(\.role) == ["body", "primary-head", "auxiliary-head"])
    #expect(parts.links.count == 3)
  }

  @Test(arguments: ["d1", "d2", "d3", "d4"])
  func theMaskClaimsNothingAlone(dialect: String) throws {
    let mask = try graph("mask-\(dialect)")
    #expect(FamilyModel(mask) == nil)
    let both = FamilyModel([
      (name: "body", graph: try graph("body-d3")), (name: "mask", graph: mask),
    ])
    #expect(both?.parts.map(\.role) == ["body", "mask"])
  }

  @Test func partsOfTheirOwnFilesFitTogether() throws {
    let names = ["auxiliary-head", "body", "primary-head"]
    let model = try #require(
      FamilyModel(try names.map { (name: $0, graph: try graph("\($0)-d3")) }))
    #expect(model.parts.map(\.role) == names)
    #expect(
      model.links.map { "\($0.from.port) \($0.to.part)" } == [
        "features primary-head", "clean auxiliary-head", "residual auxiliary-head",
      ])
  }

  @Test(arguments: ["Conv", "Resize", "Add", "Relu", "Concat"])
  func aGraphThatLacksOnePartIsNoDenoiser(kind: String) throws {
    #expect(FamilyModel(try graph("static-prefixed-d3").cut(kind, last: true)) == nil)
  }

  /// The same network with a bias somewhere: near, and told why it is not it.
  @Test func aNearMissIsTold() throws {
    let graph = try graph("static-prefixed-d3")
    var done = false
    let changed = try graph.rebuilt { (node, operands, new) throws(ModelError) in
      guard !done, type(of: node.op).name == "Conv", operands.count >= 2,
        let weight = operands[1], let count = new.type(weight).dimensions?[0].value
      else { return nil }
      done = true
      let bias = new.addConstant(
        Tensor.filled(.float32, try Shape([count]), with: 0), named: "bias")
      return try new.append(
        node.op, named: node.name, to: [operands[0], weight, bias],
        outputNames: node.outputs.map { graph[$0].name })
    }
    #expect(FamilyModel(changed) == nil)
    #expect(ModelFamily.denoiser.nearMiss(changed) == ["1 convolutions have a bias"])
    #expect(ModelFamily.denoiser.nearMiss(try self.graph("mask-d1")).isEmpty)
  }
}
