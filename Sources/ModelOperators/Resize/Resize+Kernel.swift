import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Resize: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard let constants = try Resize.constants(request) else { return nil }
    let shape = try request.operands.required(0).shape
    let axes = try resampling(
      shape, roi: constants[0], scales: constants[1], sizes: constants[2])
    let layout = try request.layoutOfFirst()
    return try .resampling(axes, of: shape, layout, absent: extrapolation)
  }

  /// The operands after a float32 first one, or nil where they are known only when it runs.
  static func constants(_ request: KernelRequest) throws(ModelError) -> [Tensor?]? {
    let x = try request.operands.required(0)
    guard x.fact.type.quantization == nil, x.fact.element == .float32,
      request.outputs[0].quantization == nil
    else { return nil }
    var constants: [Tensor?] = []
    for index in 1...3 {
      let operand = request.operands.optional(index)
      if let operand, operand.fact.constant == nil, operand.shape.count > 0 { return nil }
      constants.append(operand?.fact.constant)
    }
    return constants
  }
}

extension PlannedKernel {
  /// A kernel that resamples float32 elements of `shape` along each axis that is not nil.
  static func resampling(
    _ axes: [ResizeAxis?], of shape: Shape, _ layout: Layout = .rowMajor, absent: Float
  ) throws(ModelError) -> PlannedKernel {
    var steps: [ResizeStep] = []
    let order = layout.axisOrder(rank: shape.rank)
    let axes = order.map { axes[$0] }
    var shape = try Shape(order.map { shape[$0] })
    for (axis, resampled) in axes.enumerated() {
      guard let resampled else { continue }
      steps.append(ResizeStep(resampled, axis, shape, absent))
      var extents = shape.dimensions
      extents[axis] = resampled.output
      shape = try Shape(extents)
    }
    guard !steps.isEmpty else { return .alias(of: 0) }
    let between = alignedByteCount((steps.dropLast().map(\.resultCount).max() ?? 0) * 4)
    let passes = steps
    return PlannedKernel(
      operandLayouts: [layout], outputLayouts: [layout],
      scratchByteCount: passes.count > 1 ? 2 * between : 0
    ) { (frame) throws(ModelError) in
      var source = frame.input(0, as: Float.self)
      for (index, step) in passes.enumerated() {
        let target =
          index == passes.count - 1
          ? frame.output(0, as: Float.self)
          : (frame.scratch + index % 2 * between).assumingMemoryBound(to: Float.self)
        step.run(source, to: target, frame.pool)
        source = UnsafePointer(target)
      }
    }
  }
}

/// The resampling of one axis.
private struct ResizeStep: Sendable {
  let resultCount: Int
  private let outer: Int
  private let inner: Int
  private let input: Int
  private let output: Int
  private let extrapolation: Float
  /// Taps of element i are `starts[i]` ..< `starts[i + 1]`.
  private let starts: KernelMemory
  private let indices: KernelMemory
  private let weights: KernelMemory

  init(_ axis: ResizeAxis, _ number: Int, _ shape: Shape, _ extrapolation: Float) {
    outer = shape.count(0..<number)
    inner = shape.count(number + 1..<shape.rank)
    input = axis.input
    output = axis.output
    resultCount = outer * axis.output * inner
    self.extrapolation = extrapolation
    var starts = [0]
    var indices: [Int] = []
    var weights: [Float] = []
    for taps in axis.taps {
      for tap in taps where tap.weight != 0 {
        indices.append(tap.index)
        weights.append(Float(tap.weight))
      }
      starts.append(indices.count)
    }
    self.starts = KernelMemory(starts)
    self.indices = KernelMemory(indices)
    self.weights = KernelMemory(weights)
  }

  func run(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ pool: ThreadPool) {
    let starts = self.starts.elements(of: Int.self)
    let indices = self.indices.elements(of: Int.self)
    let weights = self.weights.elements(of: Float.self)
    let share = max(1, (1 << 13) / max(1, output * inner))
    pool.run(tasks: (outer + share - 1) / share) { task in
      for o in task * share..<min(outer, (task + 1) * share) {
        let (from, to) = (x + o * input * inner, y + o * output * inner)
        if inner == 1 {
          for place in 0..<output {
            var sum: Float = starts[place] == starts[place + 1] ? extrapolation : 0
            for tap in starts[place]..<starts[place + 1] {
              sum += weights[tap] * from[indices[tap]]
            }
            to[place] = sum
          }
          continue
        }
        for place in 0..<output {
          let row = to + place * inner
          let (first, end) = (starts[place], starts[place + 1])
          if first == end {
            row.update(repeating: extrapolation, count: inner)
          } else if end == first + 1, weights[first] == 1 {
            row.update(from: from + indices[first] * inner, count: inner)
          } else if end == first + 2 {
            let (w0, w1) = (weights[first], weights[first + 1])
            let (s0, s1) = (from + indices[first] * inner, from + indices[first + 1] * inner)
            for i in 0..<inner { row[i] = w0 * s0[i] + w1 * s1[i] }
          } else {
            row.update(repeating: 0, count: inner)
            for tap in first..<end {
              let (weight, source) = (weights[tap], from + indices[tap] * inner)
              for i in 0..<inner { row[i] += weight * source[i] }
            }
          }
        }
      }
    }
  }
}
