import ModelIR
import TensorCore

/// Each line along one axis divided by its Euclidean norm, or by `epsilon` where the norm is less:
/// y = x / max(‖x‖₂, ε).
///
/// Clauses `NL1`… of `formats/operators.md`; no ONNX kind: a pass makes it of ReduceL2, Clip and Div, which is
/// how exporters write `torch.nn.functional.normalize`.
package struct NormalizeL2: AxisOperator, ImportableOperator {
  package static let name = "NormalizeL2"
  package static let fields = [
    Field("axis", \NormalizeL2.axis), Field("epsilon", \NormalizeL2.epsilon),
  ]

  /// Counted from the end where negative.
  package var axis = -1
  package var epsilon: Float = 1e-12

  package init() {}
  package init(axis: Int, epsilon: Float) {
    self.axis = axis
    self.epsilon = epsilon
  }

  package func apply(_ line: [Double]) -> [Double] {
    let norm = line.reduce(0) { $0 + $1 * $1 }.squareRoot()
    // The comparison is false for NaN, which stays.
    let divisor = norm < Double(epsilon) ? Double(epsilon) : norm
    return line.map { $0 / divisor }
  }
}

// MARK: - Kernel

extension NormalizeL2: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let shape = try request.operands.required(0).shape
    guard request.outputs[0].element == .float32, request.outputs[0].quantization == nil else {
      return nil
    }
    let axis = try Shape.resolve(axis: axis, rank: shape.rank)
    let extent = shape.rank == 0 ? 1 : shape[axis]
    let inner = shape.rank == 0 ? 1 : shape.count(axis + 1..<shape.rank)
    let lines = extent == 0 ? 0 : shape.count / extent
    let least = Double(epsilon)
    return PlannedKernel(overwritableOperands: [0]) { (frame) throws(ModelError) in
      let x = frame.input(0, as: Float.self)
      let y = frame.output(0, as: Float.self)
      for line in 0..<lines {
        let start = line / inner * extent * inner + line % inner
        NormalizeL2.normalize(x + start, count: extent, by: inner, least: least, to: y + start)
      }
    }
  }

  /// One line of `count` elements that are `step` apart: the norm and the quotients in float64, each quotient rounded
  /// once. `y` may be `x`.
  static func normalize(
    _ x: UnsafePointer<Float>, count: Int, by step: Int = 1, least: Double,
    to y: UnsafeMutablePointer<Float>
  ) {
    var sum = 0.0
    for index in 0..<count {
      let value = Double(x[index * step])
      sum += value * value
    }
    let norm = sum.squareRoot()
    let divisor = norm < least ? least : norm
    for index in 0..<count { y[index * step] = Float(Double(x[index * step]) / divisor) }
  }
}

// MARK: - Gradient

extension NormalizeL2: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let x = try site.operand(0)
    let axis = try Shape.resolve(axis: axis, rank: x.shape.rank)
    return [try gradient(site.gradient(), x: x, y: site.output(), axis: axis)]
  }

  /// The gradient by `x`, where `byY` is that by the lines along `axis` that it becomes.
  func gradient(_ byY: Term, x: Term, y: Term, axis: Int) throws(ModelError) -> Term {
    let norm = try (x * x).sum([axis]).applying(Sqrt())
    let least = try norm.filled(with: Double(epsilon))
    // Below ε the divisor is a constant.
    let turn = try (y * (byY * y).sum([axis])).gated(by: norm - least)
    return try (byY - turn) / norm.applying(Max(), least)
  }
}
