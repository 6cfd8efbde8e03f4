import COnnx
import CProtobufC
import TensorCore

/// Single tensors as `TensorProto` files (`.pb`).
package enum TensorFile {
  /// - Returns: the tensor and the name that the file gives it, which may be empty.
  package static func read(
    path: String, limits: ImportLimits = ImportLimits()
  ) throws(ModelError) -> (name: String, tensor: Tensor) {
    let name = path.split(separator: "/").last.map(String.init) ?? path
    return try during("reading tensor file '\(name)'") { () throws(ModelError) in
      try read(bytes: try InputFile.contents(path: path, limit: limits.fileBytes), limits: limits)
    }
  }

  package static func read(
    bytes: [UInt8], limits: ImportLimits = ImportLimits()
  ) throws(ModelError) -> (name: String, tensor: Tensor) {
    let unpacked = try bytes.withRaw { (raw) throws(ModelError) in
      try Unpacked(
        raw, as: "an ONNX tensor", limits: limits, unpack: onnx__tensor_proto__unpack,
        free: onnx__tensor_proto__free_unpacked)
    }
    var decoder = OnnxTensorDecoder(limits: limits, external: try ExternalData(folder: nil))
    return (
      try string(unpacked.message.pointee.name, limits),
      try decoder.tensor(&unpacked.message.pointee)
    )
  }

  package static func write(_ tensor: Tensor, named name: String, path: String) throws(ModelError) {
    try NewFile.write(bytes(of: tensor, named: name), to: path)
  }

  /// A `TensorProto` with raw data.
  package static func bytes(of tensor: Tensor, named name: String) -> [UInt8] {
    var message = ProtobufWriter()
    for extent in tensor.shape.dimensions { message.integer(1, extent) }
    message.integer(2, Int(OnnxElement.number(tensor.element)))
    if !name.isEmpty { message.string(8, name) }
    if tensor.element == .int4 || tensor.element == .uint4 {
      message.counted(9, nibbles(tensor))
    } else {
      message.counted(9, tensor.bytes)
    }
    return message.bytes
  }

  /// Four-bit elements two to a byte, the first one low.
  private static func nibbles(_ tensor: Tensor) -> [UInt8] {
    var packed = [UInt8](repeating: 0, count: (tensor.count + 1) / 2)
    for (index, byte) in tensor.bytes.enumerated() {
      packed[index / 2] |= (byte & 15) << (index % 2 == 0 ? 0 : 4)
    }
    return packed
  }
}
