import ModelIR
import TensorCore

/// The greatest element of each window; padding never wins. Output 1, where `indices` is set, is the
/// flat index of that element in the whole operand, counted along the last axis first, or along the
/// first spatial axis first where `columnMajor` is set.
///
/// Clauses `PL1`…, `WN1`… of `formats/operators.md`; ONNX MaxPool 1–22.
package struct MaxPool: PoolingOperator {
  package static let name = "MaxPool"
  package static let fields = [
    Field("kernel", \MaxPool.kernel),
    Field("strides", \MaxPool.window.strides),
    Field("dilations", \MaxPool.window.dilations),
    Field("pads", \MaxPool.window.pads),
    Field("autoPad", \MaxPool.window.autoPad),
    Field("ceiling", \MaxPool.ceiling),
    Field("indices", \MaxPool.indices),
    Field("columnMajor", \MaxPool.columnMajor),
  ]

  package var kernel: [Int] = []
  package var window = Window()
  package var ceiling = false
  package var indices = false
  package var columnMajor = false

  package init() {}
  package init(
    kernel: [Int], window: Window = Window(), ceiling: Bool = false, indices: Bool = false,
    columnMajor: Bool = false
  ) {
    self.kernel = kernel
    self.window = window
    self.ceiling = ceiling
    self.indices = indices
    self.columnMajor = columnMajor
  }
}

// MARK: - Types

extension MaxPool {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint || x.element == .int8 || x.element == .uint8 else {
      throw ModelError(.typeMismatch, "PL1: pooling of \(x.element)")
    }
    let type = try pooled(x)
    return indices ? [type, type.with(element: .int64)] : [type]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    let element = try inputs.required(0).element
    return indices ? [element, .int64] : [element]
  }
}

// MARK: - Reference

extension MaxPool {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let geometry = try geometry(of: x.shape)
    let shape = try pooledShape(x.shape, geometry)
    let values = x.doubles()
    let lowest = x.element.integerRange.map { Double($0.lowerBound) } ?? -.infinity
    var greatest = [Double](repeating: lowest, count: shape.count)
    var places = [Int64](repeating: -1, count: shape.count)
    forEachWindow(of: x.shape, geometry) { taps, plane, _, output in
      for tap in taps {
        let value = values[plane + tap.input]
        guard places[output] < 0 || value > greatest[output] || value.isNaN else { continue }
        greatest[output] = value
        places[output] = Int64(plane + (columnMajor ? transposed(tap.input, geometry) : tap.input))
      }
    }
    let result = Tensor(x.element, shape, doubles: greatest)
    return indices ? [result, Tensor(shape, places)] : [result]
  }

  /// The position of flat position `position` if the first spatial axis ran fastest.
  private func transposed(_ position: Int, _ geometry: WindowGeometry) -> Int {
    var left = position
    var weight = geometry.inputCount
    var result = 0
    for axis in stride(from: geometry.rank - 1, through: 0, by: -1) {
      weight /= geometry.input[axis]
      result += left % geometry.input[axis] * weight
      left /= geometry.input[axis]
    }
    return result
  }
}

// MARK: - Import

extension MaxPool: ImportableOperator {
  package static let importers = [
    Importer("MaxPool", 1...newestOpset) { node throws(ModelError) in
      MaxPool(
        kernel: try node.required(attribute: "kernel_shape"), window: try Window(importing: node),
        ceiling: try node.flag("ceil_mode", default: false),
        indices: node.outputCount > 1,
        columnMajor: try node.flag("storage_order", default: false))
    }
  ]
}

// MARK: - Gradient

extension MaxPool: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let x = try site.operand(0)
    let shape = try x.shape
    var op = self
    op.indices = true
    op.columnMajor = false
    let places = try site.outputs(of: op, x)[1]
    let flat = try site.gradient().reshaped(to: [places.shape.count])
    return [
      try flat.scattered(to: shape.count, axis: 0, at: places.reshaped(to: [places.shape.count]))
        .reshaped(to: shape)
    ]
  }
}
