import ModelIR
import TensorCore

/// A function of one int8 number as a table: y = table[x + 128] (`Q19`).
///
/// Operands: x, int8 with parameters; table, 256 constant int8 entries that read with the output's
/// parameters. `function` names what the table was made from, for reports and export. Clauses `LT1`…
/// of `formats/operators.md`.
package struct LookupTable: ImportableOperator {
  package static let name = "LookupTable"
  package static let fields = [Field("function", \LookupTable.function)]

  package var function = ""

  package init() {}
  package init(function: String) { self.function = function }

  /// The table of `function` from one reading to another: every entry is the quantized value of the
  /// function at the real number that its index stands for, computed in float64.
  package static func table(
    from: QuantizationParameters, to: QuantizationParameters, _ function: (Double) -> Double
  ) -> Tensor {
    let entries = (-128...127).map { (q: Int32) in
      let value = function(Double(q - from.zeroPoint) * Double(from.scale)) / Double(to.scale)
      return IntegerArithmetic.clampToInt8(Float(value), zeroPoint: to.zeroPoint)
    }
    guard let shape = try? Shape([256]) else { preconditionFailure("a valid shape") }
    return Tensor(shape, entries, quantization: to)
  }
}

// MARK: - Types

extension LookupTable {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let x = try inputs.required(0)
    let table = try inputs.required(1)
    guard x.element == .float32, table.element == .float32 else {
      throw ModelError(.typeMismatch, "LT1: a table of \(table.element) for \(x.element)")
    }
    guard let shape = table.type.shape, shape.dimensions == [256] else {
      throw ModelError(.shapeMismatch, "LT2: a table of \(table.type); it needs 256 entries")
    }
    return [x.type]
  }
}

// MARK: - Reference

extension LookupTable {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    throw ModelError(.notQuantizable, "LT3: a table is a function of integers only")
  }
}

// MARK: - Int8

extension LookupTable: IntegerOperator {
  package func checkInteger(
    _ inputs: Operands<Fact>, _ outputs: [TensorType]
  ) throws(ModelError) {
    _ = try IntegerArithmetic.activation(try inputs.required(0).type, "operand")
    let to = try IntegerArithmetic.output(outputs)
    guard let table = try inputs.required(1).constant, table.element == .int8,
      table.quantization == to
    else {
      throw ModelError(
        .notQuantizable, "LT3: the table is not constant int8 with the output's parameters")
    }
  }

  package func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let table = try inputs.required(1).integers()
    return [
      Tensor(
        x.shape, x.integers().map { Int8(truncatingIfNeeded: table[Int($0) + 128]) },
        quantization: outputs[0].quantization)
    ]
  }
}
