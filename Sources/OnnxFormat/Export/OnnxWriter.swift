import ModelIR
import ModelOperators
import TensorCore

/// Writes graphs as ONNX models that any runtime reads.
///
/// Float graphs become the same graph in ONNX's operators; what Maquette's passes fused is unfolded.
/// Quantized graphs become standard QDQ models: every int8 tensor is written by QuantizeLinear and read
/// by DequantizeLinear, weights are int8 with one scale for each channel.
package struct OnnxWriter: Sendable {
  /// The opset that is written, where no operator of the graph needs a later one.
  package let opset: Int

  package init(opset: Int = 21) { self.opset = opset }

  /// - Throws: `unsupported-operator` for an operator that ONNX cannot express, `limit-exceeded` above
  ///   protobuf's 2 GiB.
  package func bytes(of graph: Graph) throws(ModelError) -> [UInt8] {
    let version = try version(for: graph)
    var exporter = try GraphExporter(graph, opset: version)
    let model = try exporter.export()
    let encoder = ModelEncoder(opset: version)
    let bytes = encoder.bytes(of: model)
    guard bytes.count < 2 << 30 else {
      throw ModelError(
        .limitExceeded, "the model has \(bytes.count) bytes; an ONNX file ends at 2 GiB")
    }
    return bytes
  }

  /// - Returns: the size of the file.
  @discardableResult
  package func write(_ graph: Graph, path: String) throws(ModelError) -> Int {
    let bytes = try bytes(of: graph)
    try NewFile.write(bytes, to: path)
    return bytes.count
  }

  private func version(for graph: Graph) throws(ModelError) -> Int {
    guard (13...newestOpset).contains(opset) else {
      throw ModelError(.usage, "opset \(opset) is not written; choose one of 13 to \(newestOpset)")
    }
    var version = opset
    for graph in graph.withInner {
      for node in graph.nodes {
        let operands = node.inputs.map { $0.map { graph.fact($0) } }
        if let needed = ForeignForm.version(of: node.op, on: operands, from: opset) {
          version = max(version, needed)
        }
        if let layer = node.op as? any LayerOperator, layer.epilogue.activation == .gelu {
          version = max(version, 20)
        }
      }
    }
    return version
  }
}
