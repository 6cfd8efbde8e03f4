import ModelIR
import TensorCore

/// The mean of each window. Padding counts as zeros where `countsPadding` is set and not at all
/// elsewhere; what hangs over the padding never counts.
///
/// Clauses `PL1`…, `WN1`… of `formats/operators.md`; ONNX AveragePool 7–22.
package struct AveragePool: PoolingOperator {
  package static let name = "AveragePool"
  package static let fields = [
    Field("kernel", \AveragePool.kernel),
    Field("strides", \AveragePool.window.strides),
    Field("dilations", \AveragePool.window.dilations),
    Field("pads", \AveragePool.window.pads),
    Field("autoPad", \AveragePool.window.autoPad),
    Field("ceiling", \AveragePool.ceiling),
    Field("countsPadding", \AveragePool.countsPadding),
  ]

  package var kernel: [Int] = []
  package var window = Window()
  package var ceiling = false
  package var countsPadding = false

  package init() {}
  package init(
    kernel: [Int], window: Window = Window(), ceiling: Bool = false, countsPadding: Bool = false
  ) {
    self.kernel = kernel
    self.window = window
    self.ceiling = ceiling
    self.countsPadding = countsPadding
  }
}

// MARK: - Types

extension AveragePool {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "PL1: pooling of \(x.element)")
    }
    return [try pooled(x)]
  }
}

// MARK: - Reference

extension AveragePool {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let geometry = try geometry(of: x.shape)
    let shape = try pooledShape(x.shape, geometry)
    let values = x.doubles()
    let counts = (0..<geometry.outputCount).map {
      countsPadding ? geometry.paddedCount(at: $0) : geometry.taps(at: $0).count
    }
    var result = [Double](repeating: 0, count: shape.count)
    forEachWindow(of: x.shape, geometry) { taps, plane, position, output in
      var sum = 0.0
      for tap in taps { sum += values[plane + tap.input] }
      result[output] = sum / Double(max(1, counts[position]))
    }
    return [Tensor(x.element, shape, doubles: result)]
  }
}

// MARK: - Import

extension AveragePool: ImportableOperator {
  package static let importers = [
    Importer("AveragePool", 1...newestOpset) { node throws(ModelError) in
      AveragePool(
        kernel: try node.required(attribute: "kernel_shape"), window: try Window(importing: node),
        ceiling: try node.flag("ceil_mode", default: false),
        countsPadding: try node.flag("count_include_pad", default: false))
    },
    .quantized("QLinearAveragePool") { node throws(ModelError) in
      try node.expectChannelsFirst()
      return AveragePool(
        kernel: try node.required(attribute: "kernel_shape"), window: try Window(importing: node),
        ceiling: try node.flag("ceil_mode", default: false),
        countsPadding: try node.flag("count_include_pad", default: false))
    },
  ]
}

// MARK: - Gradient

extension AveragePool: DifferentiableOperator {
  /// Each window's share goes back to its elements: a transposed convolution by ones.
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let shape = try site.operand(0).shape
    let geometry = try geometry(of: shape)
    let gradient = try site.gradient()
    let counts = (0..<geometry.outputCount).map {
      Double(max(1, countsPadding ? geometry.paddedCount(at: $0) : geometry.taps(at: $0).count))
    }
    let shares = try gradient / gradient.constant(Shape([1, 1] + geometry.output), counts)
    let ones = gradient.constant(
      try Shape([shape[1], 1] + geometry.kernel),
      [Double](repeating: 1, count: shape[1] * geometry.kernelCount))
    return [try shares.applying(TransposedConvolution(undoing: geometry, groups: shape[1]), ones)]
  }
}
