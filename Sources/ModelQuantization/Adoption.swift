import ModelIR
import ModelOperators
import ModelPasses
import TensorCore

/// A model that was quantized elsewhere, as integer operators: QuantizeLinear and DequantizeLinear around
/// float operators (QDQ) become int8 tensors with the file's own scales and zero points.
///
///     %1 = DequantizeLinear(%x, sx, zx)
///     %2 = DequantizeLinear(w, sw)
///     %3 = Conv(%1, %2)                     →    %4 = Conv(%x, w) int8 of sy, zy
///     %4 = QuantizeLinear(%3, sy, zy)
///
/// `Q52` to `Q55` of `formats/quantization.md` say what is adopted and how far the result may be from the
/// QDQ model's.
package struct Adoption: Sendable {
  /// The integer graph, or the given one, optimised, where no layer of it runs on integers.
  package let graph: Graph
  /// What runs on integers and why the rest does not.
  package let record: QuantizationRecord

  /// True where activations are quantized: what QuantizeLinear makes, or DequantizeLinear reads, is no
  /// constant.
  package static func applies(to graph: Graph) -> Bool {
    graph.nodes.contains { node in
      guard let first = node.inputs.first ?? nil, graph.constant(first) == nil else { return false }
      if node.op is QuantizeLinear { return true }
      return node.op is DequantizeLinear && graph.producer(of: first) == nil
        && graph.type(first).element.byteCount == 1
    }
  }

  /// - Parameter observe: called with each step of the passes that changed the graph, and the graph.
  package init(
    of source: Graph,
    observe: (Pipeline.Step, Graph) throws(ModelError) -> Void = {
      (_, _) throws(ModelError) in
    }
  ) throws(ModelError) {
    let prepared = try Adoption.prepared(source, observe: observe)
    var lowering = AdoptedLowering(prepared)
    let lowered = try during("adopting the file's quantization") { () throws(ModelError) in
      let lowered = try lowering.lower()
      try lowered.verify()
      return lowered
    }
    let hasLayer = lowered.nodes.contains { node in
      !(node.op is Quantize || node.op is Dequantize)
        && node.inputs.contains { $0.map { lowered.type($0).quantization != nil } ?? false }
    }
    graph = hasLayer ? lowered : try Pipeline.portable.run(on: source, observe: observe)
    record = QuantizationRecord(
      method: nil, samples: 0, activations: hasLayer ? lowering.activations : [],
      layers: lowering.layers)
  }

  /// What every model goes through, with weights left as the file stores them and products with them as
  /// linear layers.
  private static func prepared(
    _ graph: Graph, observe: (Pipeline.Step, Graph) throws(ModelError) -> Void
  ) throws(ModelError) -> Graph {
    let passes: [any Pass] = allPasses.map {
      $0.name == FoldConstants.name ? Rewriting(FoldConstants(keepsScaledWeights: true)) : $0
    }
    return try Pipeline(passes + [Rewriting(MakeScaledLinear())]).run(on: graph, observe: observe)
  }
}
