import Foundation
import TensorCore

extension JSON {
  /// The canonical JSON of a value.
  ///
  /// - Throws: `invalid-value` for what JSON cannot hold, such as infinities.
  package init(encoding value: some Encodable) throws(ModelError) {
    let data: Data
    do { data = try JSONEncoder().encode(value) } catch {
      throw ModelError(.invalidValue, "a record is not JSON: \(error)")
    }
    try self.init(bytes: [UInt8](data))
  }

  /// - Throws: `malformed-input` where the JSON is not a `Value`.
  package func decoded<Value: Decodable>(as _: Value.Type = Value.self) throws(ModelError) -> Value
  {
    do { return try JSONDecoder().decode(Value.self, from: Data(bytes)) } catch {
      throw ModelError(.malformedInput, "a record is not a \(Value.self): \(error)")
    }
  }
}
