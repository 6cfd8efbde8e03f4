import Foundation
import ModelIR
import TensorCore

/// The p-norm of each window: (Σ |x|ᵖ)^(1/p).
///
/// Clauses `PL1`…, `WN1`… of `formats/operators.md`; ONNX LpPool 2–22.
package struct LpPool: PoolingOperator {
  package static let name = "LpPool"
  package static let fields = [
    Field("p", \LpPool.p),
    Field("kernel", \LpPool.kernel),
    Field("strides", \LpPool.window.strides),
    Field("dilations", \LpPool.window.dilations),
    Field("pads", \LpPool.window.pads),
    Field("autoPad", \LpPool.window.autoPad),
    Field("ceiling", \LpPool.ceiling),
  ]

  package var p = 2
  package var kernel: [Int] = []
  package var window = Window()
  package var ceiling = false

  package init() {}
  package init(p: Int, kernel: [Int], window: Window = Window(), ceiling: Bool = false) {
    self.p = p
    self.kernel = kernel
    self.window = window
    self.ceiling = ceiling
  }
}

// MARK: - Types

extension LpPool {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "PL1: pooling of \(x.element)")
    }
    guard p >= 1 else { throw ModelError(.invalidValue, "PL3: a norm of order \(p)") }
    return [try pooled(x)]
  }
}

// MARK: - Reference

extension LpPool {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let geometry = try geometry(of: x.shape)
    let shape = try pooledShape(x.shape, geometry)
    let values = x.doubles()
    var result = [Double](repeating: 0, count: shape.count)
    forEachWindow(of: x.shape, geometry) { taps, plane, _, output in
      var sum = 0.0
      for tap in taps { sum += pow(abs(values[plane + tap.input]), Double(p)) }
      result[output] = pow(sum, 1 / Double(p))
    }
    return [Tensor(x.element, shape, doubles: result)]
  }
}

// MARK: - Import

extension LpPool: ImportableOperator {
  package static let importers = [
    Importer("LpPool", 2...newestOpset) { node throws(ModelError) in
      LpPool(
        p: try node.attribute("p", default: 2),
        kernel: try node.required(attribute: "kernel_shape"), window: try Window(importing: node),
        ceiling: try node.flag("ceil_mode", default: false))
    }
  ]
}
