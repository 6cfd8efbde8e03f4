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
    return try .resampling(axes, of: shape, layout, absent: extrapolation, request)
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
    _ axes: [ResizeAxis?], of shape: Shape, _ layout: Layout = .rowMajor, absent: Float,
    _ request: KernelRequest
  ) throws(ModelError) -> PlannedKernel {
    var steps: [ResizeStep] = []
    let order = layout.axisOrder(rank: shape.rank)
    let axes = order.map { axes[$0] }
    var shape = try Shape(order.map { shape[$0] })
    for (axis, resampled) in axes.enumerated() {
      guard let resampled else { continue }
      steps.append(ResizeStep(resampled, axis, shape, absent, request.tier))
      var extents = shape.dimensions
      extents[axis] = resampled.output
      shape = try Shape(extents)
    }
    guard let last = steps.popLast() else { return .alias(of: 0) }
    let beforeLast = steps.popLast()
    let between = alignedByteCount((steps.map(\.resultCount).max() ?? 0) * 4)
    let line = alignedByteCount((beforeLast?.inner ?? 0) * 4)
    let whole = steps
    return PlannedKernel(
      operandLayouts: [layout], outputLayouts: [layout],
      scratchByteCount: 2 * between + request.threads * line
    ) { (frame) throws(ModelError) in
      var source = frame.input(0, as: Float.self)
      for (index, step) in whole.enumerated() {
        let target = (frame.scratch + index % 2 * between).assumingMemoryBound(to: Float.self)
        step.run(source, to: target, frame.pool)
        source = UnsafePointer(target)
      }
      let result = frame.output(0, as: Float.self)
      guard let beforeLast else { return last.run(source, to: result, frame.pool) }
      // Each row of the last step but one is read again while it is in cache.
      let (rows, made) = (beforeLast.rows, last.resultCount / max(1, beforeLast.rows))
      let (share, lines) = (max(1, (1 << 13) / max(1, made)), frame.scratch + 2 * between)
      frame.pool.run(tasks: (rows + share - 1) / share) { task, worker in
        let row = (lines + worker * line).assumingMemoryBound(to: Float.self)
        for index in task * share..<min(rows, (task + 1) * share) {
          beforeLast.mix(index..<index + 1, source, to: row)
          last.mix(0..<last.rows / rows, row, to: result + index * made)
        }
      }
    }
  }
}

/// The resampling of one axis.
private struct ResizeStep: Sendable {
  /// Elements of a row: of the axes after this one.
  let inner: Int
  /// Rows of the result.
  let rows: Int
  private let input: Int
  private let output: Int
  private let extrapolation: Float
  private let tier: KernelTier
  /// Taps of element i are `starts[i]` ..< `starts[i + 1]`.
  private let starts: KernelMemory
  private let indices: KernelMemory
  private let weights: KernelMemory

  init(
    _ axis: ResizeAxis, _ number: Int, _ shape: Shape, _ extrapolation: Float, _ tier: KernelTier
  ) {
    inner = shape.count(number + 1..<shape.rank)
    rows = shape.count(0..<number) * axis.output
    input = axis.input
    output = axis.output
    self.extrapolation = extrapolation
    self.tier = tier
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

  var resultCount: Int { rows * inner }

  /// Makes some rows; `y` is where the first goes.
  func mix(_ rows: Range<Int>, _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) {
    let starts = self.starts.elements(of: Int.self)
    var row = rows.lowerBound
    while row < rows.upperBound {
      let (outer, place) = (row / output, row % output)
      let count = min(output - place, rows.upperBound - row)
      tier.mix(
        rows: count, columns: inner, starts: starts + place,
        indices: indices.elements(of: Int.self), weights: weights.elements(of: Float.self),
        x + outer * input * inner, absent: extrapolation, to: y + (row - rows.lowerBound) * inner)
      row += count
    }
  }

  func run(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, _ pool: ThreadPool) {
    let share = max(1, (1 << 13) / max(1, inner))
    pool.run(tasks: (rows + share - 1) / share) { task in
      let part = task * share..<min(rows, (task + 1) * share)
      mix(part, x, to: y + part.lowerBound * inner)
    }
  }
}
