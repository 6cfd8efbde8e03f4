import ModelIR
import TensorCore

/// What an update does to the element that it meets.
package enum ScatterReduction: String, StringAttribute {
  case none, add, mul, max, min

  private func apply<Value: Comparable>(
    _ old: Value, _ update: Value, add: (Value, Value) -> Value, multiply: (Value, Value) -> Value
  ) -> Value {
    switch self {
    case .none: update
    case .add: add(old, update)
    case .mul: multiply(old, update)
    case .max: update > old ? update : old
    case .min: update < old ? update : old
    }
  }

  /// X with each of `updates` (all of them, in order) applied at the flat index in `places`.
  func scatter(_ updates: Tensor, at places: [Int], into x: Tensor) -> Tensor {
    if x.element.isFloatingPoint {
      var values = x.doubles()
      for (place, update) in zip(places, updates.doubles()) {
        let result = apply(values[place], update, add: +, multiply: *)
        values[place] = Tensor(x.element, .scalar, doubles: [result]).doubles()[0]
      }
      return Tensor(x.element, x.shape, doubles: values)
    }
    if x.element == .uint64 {
      var values = x.integers().map { UInt64(bitPattern: $0) }
      for (place, update) in zip(places, updates.integers()) {
        values[place] = apply(
          values[place], UInt64(bitPattern: update), add: &+, multiply: &*)
      }
      return Tensor(x.shape, values)
    }
    var values = x.integers()
    for (place, update) in zip(places, updates.integers()) {
      values[place] = apply(values[place], update, add: &+, multiply: &*)
    }
    return Tensor(x.element, x.shape, integers: values)
  }
}
