import ModelBundle
import ModelIR
import ModelOperators
import TensorCore
import Testing

/// What a bundle may say of its own adaptation: each clause of `B40`…`B42` broken by itself.
@Suite struct AdaptationRecordTests {
  /// A layer with weights of every kind, its float32 form, and a graph of other ports.
  private func graphs() throws -> [BundleContents.NamedGraph] {
    func layer(port: String) throws -> Graph {
      var graph = Graph()
      let x = try graph.addInput("x", TensorType(.float32, [2, 2]))
      let weights = graph.addConstant(
        Tensor(try Shape([2, 2]), [1, 2, 3, 4] as [Float]), named: "w")
      for (name, parameters) in [
        ("channels", QuantizationParameters(perChannel: [0.5, 0.25], axis: 0)),
        ("whole", QuantizationParameters(scale: 0.5, zeroPoint: 0)),
      ] {
        _ = graph.addConstant(
          Tensor(try Shape([2, 2]), [1, 2, 3, 4] as [Int8], quantization: parameters), named: name)
      }
      _ = graph.addConstant(Tensor(vector: [2, 2] as [Int64]), named: "shape")
      for _ in 0..<2 { _ = graph.addConstant(Tensor(vector: [1] as [Float]), named: "twice") }
      try graph.addOutput(port, graph.appendOne(MatMul(), named: "y", to: [x, weights]))
      return graph
    }
    return [
      .init("head", try layer(port: "y")), .init("head-float", try layer(port: "y")),
      .init("other", try layer(port: "z")),
    ]
  }

  private let record = AdaptationRecord(
    presets: [
      .init("hard", mask: .hard, tensors: [.init("head", "w")]),
      .init("soft", mask: .soft, tensors: [.init("head", "w"), .init("head", "channels")]),
    ],
    tensors: [.init("head", "w"), .init("head", "channels")],
    floatForms: [.init("head", float: "head-float")], preset: "hard", steps: 3, rate: 0.25,
    factor: 2, greatestSteps: 7, greatestRate: 1)

  @Test func recordsReadBack() throws {
    let again = try AdaptationRecord(record.json)
    #expect(again == record)
    try again.check(against: graphs())
  }

  /// The JSON of ``record`` with the member at `path` replaced, or taken out.
  private func changed(_ path: [String], to value: JSON?) -> JSON {
    func change(_ json: JSON, _ path: ArraySlice<String>) -> JSON {
      guard let key = path.first else { return json }
      switch json {
      case .object(var members):
        members[key] =
          path.count == 1 ? value : change(members[key] ?? [:], path.dropFirst())
        return .object(members)
      case .array(var entries):
        guard let index = Int(key) else { return json }
        if path.count > 1 {
          entries[index] = change(entries[index], path.dropFirst())
        } else if let value {
          entries[index] = value
        } else {
          entries.remove(at: index)
        }
        return .array(entries)
      default: return json
      }
    }
    return change(record.json, path[...])
  }

  private func refuses(
    _ clause: String, _ path: String, _ value: JSON?, _ location: SourceLocation = #_sourceLocation
  ) {
    expectFailure(.malformedInput, clause, location) {
      try AdaptationRecord(changed(path.split(separator: ".").map(String.init), to: value))
        .check(against: graphs())
    }
  }

  @Test func aDeclarationOfAnotherFormIsRefused() {
    for member in ["defaults", "floats", "limits", "presets", "tensors"] {
      refuses("B40", member, nil)
      refuses("B4", member, "text")
    }
    refuses("B40", "more", 1)
    refuses("B40", "tensors.0.part", nil)
    refuses("B40", "tensors.0.more", 1)
    refuses("B40", "tensors.0.tensor", 3)
    refuses("B40", "presets.0.mask", "firm")
    refuses("B40", "presets.0.mask", nil)
    refuses("B40", "presets.0.name", 1)
    refuses("B40", "presets.0.tensors", [:])
    refuses("B41", "defaults.steps", nil)
    refuses("B41", "defaults.more", 1)
    refuses("B41", "limits.rate", nil)
    refuses("B42", "floats.0.part", nil)
    refuses("B42", "floats.0.float", 1)
  }

  @Test func tensorsAreConstantsThatCanAdapt() {
    refuses("B40: there is no graph", "tensors.0.part", "body")
    refuses("B40: 'absent'", "tensors.0.tensor", "absent")
    refuses("B40: 'y'", "tensors.0.tensor", "y")
    refuses("B40: 'shape'", "tensors.0.tensor", "shape")
    refuses("B40: 'whole'", "tensors.0.tensor", "whole")
    refuses("B40: 'twice'", "tensors.0.tensor", "twice")
  }

  @Test func presetsAreNamedChoicesOfTheTensors() {
    refuses("B40: presets", "presets", [])
    refuses("B40: presets", "presets.1.name", "hard")
    refuses("B40: presets", "presets.1.tensors", [])
    refuses("B40: presets", "tensors.1", nil)
  }

  @Test func defaultsAreWithinLimits() {
    refuses("B41", "defaults.preset", "easy")
    refuses("B41", "defaults.preset", 1)
    for steps: JSON in [0, -1, 8, .number(2.5), "3"] { refuses("B41", "defaults.steps", steps) }
    for steps: JSON in [2, 0, 10_001, .number(1e30)] { refuses("B41", "limits.steps", steps) }
    for rate: JSON in [0, -1, 2, "1", .number(.infinity), .number(.nan), .null] {
      refuses("B41", "defaults.rate", rate)
    }
    for rate: JSON in [0, .number(0.125), .number(-1)] { refuses("B41", "limits.rate", rate) }
    for factor: JSON in [0, -1, .number(.infinity), "2"] {
      refuses("B41", "defaults.factor", factor)
    }
  }

  @Test func floatFormsHaveThePortsOfTheirPart() {
    refuses("B42: there is no graph", "floats.0.part", "absent")
    refuses("B42: there is no graph", "floats.0.float", "absent")
    refuses("B42: 'other'", "floats.0.float", "other")
  }
}
