import ModelOperators
import TensorCore

/// ONNX's numbers for element types.
package enum OnnxElement {
  private static let unsupported: [Int32: String] = [
    8: "string", 14: "complex64", 15: "complex128", 17: "float8e4m3fn", 18: "float8e4m3fnuz",
    19: "float8e5m2", 20: "float8e5m2fnuz", 23: "float4e2m1", 24: "float8e8m0", 25: "uint2",
    26: "int2", 27: "float6e2m3", 28: "float6e3m2",
  ]

  /// - Throws: `unsupported-feature` for an element type that Maquette has none for,
  ///   `malformed-input` for a number that is not one.
  package static func type(_ number: Int32) throws(ModelError) -> ElementType {
    if let type = ElementType(onnx: Int(number)) { return type }
    if let name = unsupported[number] {
      throw ModelError(
        .unsupportedFeature,
        "elements of type \(name) are not read; export the model in float32, float16 or bfloat16")
    }
    throw ModelError(.malformedInput, "\(number) is not an element type of ONNX")
  }

  package static func number(_ type: ElementType) -> Int32 {
    for number in Int32(1)...28 where ElementType(onnx: Int(number)) == type { return number }
    preconditionFailure("\(type) has no number")
  }
}
