import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Repeatable numbers of many kinds.
struct Samples {
  private var numbers: RepeatableNumbers
  init(_ seed: UInt64) { numbers = RepeatableNumbers(seed: seed) }

  mutating func integer(_ range: ClosedRange<Int>) -> Int {
    Int.random(in: range, using: &numbers)
  }

  /// In −1 … 1.
  mutating func float() -> Float { Float(2 * numbers.fraction() - 1) }

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
