import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Numbers that look random and are the same in every run (SplitMix64).
struct Samples {
  private var state: UInt64
  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }

  /// In −1 … 1.
  mutating func float() -> Float { Float(Int64(bitPattern: next()) >> 40) / Float(1 << 23) }

  mutating func pick<Element>(_ list: [Element]) -> Element { list[integer(0...list.count - 1)] }

  mutating func tensor(_ dimensions: [Int]) throws -> Tensor {
    let shape = try Shape(dimensions)
    return Tensor(shape, (0..<shape.count).map { _ in float() })
  }
}

func tensor(_ dimensions: [Int], _ values: [Float]) throws -> Tensor {
  Tensor(try Shape(dimensions), values)
}

extension Operator {
  /// The reference's outputs; their shapes must be the inferred ones.
  func referenceChecked(_ inputs: [Tensor?]) throws -> [Tensor] {
    let types = try infer(Operands(inputs.map { $0.map { Fact($0) } }))
    let outputs = try reference(Operands(inputs))
    #expect(outputs.map(\.element) == types.map(\.element))
    for (output, type) in zip(outputs, types) {
      if let shape = type.shape { #expect(output.shape == shape) }
    }
    return outputs
  }

  /// The types for operands of these types.
  func types(_ inputs: [TensorType?]) throws(ModelError) -> [TensorType] {
    try infer(Operands(inputs.map { $0.map { Fact($0) } }))
  }
}

/// Expects a rejection whose message starts with `clause`.
func expectRejection(
  _ clause: String, sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws(ModelError) -> Void
) {
  do {
    try body()
    Issue.record("\(clause): nothing was rejected", sourceLocation: sourceLocation)
  } catch {
    #expect(error.message.hasPrefix(clause), sourceLocation: sourceLocation)
  }
}
