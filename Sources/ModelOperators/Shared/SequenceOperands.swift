import ModelIR
import TensorCore

extension Operands where Element == Fact {
  /// The type of operand 0, which is a sequence.
  func sequence() throws(ModelError) -> TensorType {
    let type = try required(0).type
    guard type.isSequence else {
      throw ModelError(.typeMismatch, "SQ3: operand 0 is \(type), not a sequence")
    }
    return type
  }

  /// Operand `index`, where it is there, is a position.
  func checkPosition(_ index: Int) throws(ModelError) {
    guard let position = optional(index) else { return }
    guard position.element == .int64 || position.element == .int32 else {
      throw ModelError(.typeMismatch, "SQ4: a position of type \(position.type)")
    }
    guard (position.type.shape?.count ?? 1) == 1 else {
      throw ModelError(.shapeMismatch, "SQ4: positions of type \(position.type)")
    }
  }
}

extension Operands where Element == Tensor {
  func members() throws(ModelError) -> [Tensor] {
    guard let members = try required(0).members else {
      throw ModelError(.typeMismatch, "SQ3: operand 0 is not a sequence")
    }
    return members
  }

  /// Operand `index` as a position in `range`, counted from `end` where negative.
  func position(
    _ index: Int, in range: Range<Int>, end: Int? = nil
  ) throws(ModelError) -> Int {
    guard let value = try required(index).integers().first else {
      throw ModelError(.shapeMismatch, "SQ4: no position")
    }
    let count = Int64(end ?? range.count)
    guard value >= -count, value < Int64(range.upperBound) else {
      throw ModelError(.invalidValue, "SQ4: position \(value) in a sequence of \(count)")
    }
    return Int(value < 0 ? value + count : value)
  }
}
