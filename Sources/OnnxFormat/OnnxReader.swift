import COnnx
import CProtobufC
import ModelIR
import ModelOperators
import TensorCore

/// Reads ONNX models (opset 1 to 28) as graphs of Maquette's operators.
///
/// Bytes become values here and nowhere else: everything that a file says is checked against
/// ``ImportLimits`` before memory is taken, and tensors in other files stay within the model's folder.
/// Names are kept; paths of the machine that exported the model are not.
package struct OnnxReader: Sendable {
  package let limits: ImportLimits

  package init(limits: ImportLimits = ImportLimits()) { self.limits = limits }

  /// The graph of the model at `path`; its external data lie in the same folder.
  ///
  /// - Throws: with the file's name, not its folder, on the trail.
  package func graph(path: String) throws(ModelError) -> Graph {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    let folder = parts.dropLast().joined(separator: "/")
    let name = parts.last.map(String.init) ?? path
    return try during("importing '\(name)'") { () throws(ModelError) in
      let model = try decode(
        { () throws(ModelError) in
          try InputFile.contents(path: path, limit: limits.fileBytes)
        }, folder: folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder)
      return try graph(model)
    }
  }

  /// The graph of a model in memory.
  ///
  /// - Parameter folder: where its external data lie; nil where it may have none.
  package func graph(
    bytes: [UInt8], folder: String? = nil
  ) throws(ModelError) -> Graph {
    guard bytes.count <= limits.fileBytes else {
      throw ModelError(
        .limitExceeded, "a model of \(bytes.count) bytes; at most \(limits.fileBytes) are read")
    }
    return try graph(decode({ () throws(ModelError) in bytes }, folder: folder))
  }

  private func graph(_ model: OnnxModel) throws(ModelError) -> Graph {
    try GraphImporter.graph(of: model, limits: limits, index: .all)
  }

  private func decode(
    _ load: () throws(ModelError) -> [UInt8], folder: String?
  ) throws(ModelError) -> OnnxModel {
    var bytes = try load()
    let external = try ExternalData(folder: folder)
    if let scan = bytes.withUnsafeBytes({ WeightScan($0) }) {
      let unpacked = try unpack(scan.message)
      return try bytes.withRaw { (raw) throws(ModelError) in
        var decoder = OnnxDecoder(
          limits: limits, external: external,
          weights: scan.weights.mapValues { UnsafeRawBufferPointer(rebasing: raw[$0]) })
        return try decoder.model(unpacked.message.pointee)
      }
    }
    let unpacked = try unpack(bytes)
    // The messages hold everything now; the bytes go before tensors are copied out of them.
    bytes = []
    var decoder = OnnxDecoder(limits: limits, external: external, weights: [:])
    return try decoder.model(unpacked.message.pointee)
  }

  private func unpack(_ bytes: [UInt8]) throws(ModelError) -> Unpacked<Onnx__ModelProto> {
    try bytes.withRaw { (raw) throws(ModelError) in
      try Unpacked(
        raw, as: "an ONNX model", limits: limits, unpack: onnx__model_proto__unpack,
        free: onnx__model_proto__free_unpacked)
    }
  }
}

extension ArraySlice<UInt8> {
  /// `withUnsafeBytes` that keeps the type of errors.
  func withRaw<Result>(
    _ body: (UnsafeRawBufferPointer) throws(ModelError) -> Result
  ) throws(ModelError) -> Result {
    try withUnsafeBufferPointer { (buffer) throws(ModelError) in
      try body(UnsafeRawBufferPointer(buffer))
    }
  }
}

extension [UInt8] {
  /// `withUnsafeBytes` that keeps the type of errors.
  func withRaw<Result>(
    _ body: (UnsafeRawBufferPointer) throws(ModelError) -> Result
  ) throws(ModelError) -> Result {
    try withUnsafeBufferPointer { (buffer) throws(ModelError) in
      try body(UnsafeRawBufferPointer(buffer))
    }
  }
}
