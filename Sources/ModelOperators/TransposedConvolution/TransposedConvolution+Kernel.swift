import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension TransposedConvolution: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    request.isFloat32 ? try floatKernel(request) : nil
  }

  private func floatKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let weight = try request.operands.required(1)
    let geometry = try ConvolutionGeometry(
      self, input: request.operands.required(0).shape, weight: weight.shape)
    guard geometry.multiplyAccumulates > 0 else { return nil }
    let epilogue = FloatEpilogue(epilogue, request, from: 2)
    let window = geometry.window
    let exact = geometry.groupInputChannels * window.kernelCount * window.outputCount
    let phases = TransposedPhase.phases(window)
    let phased = geometry.groupInputChannels * phases.reduce(0) { $0 + $1.taps * $1.positions }
    if let w = weight.fact.constant, phased < exact * 3 / 2 {
      return TransposedConvolution.phased(geometry, phases, w, epilogue, request)
    }
    return TransposedConvolution.scattered(geometry, epilogue, request)
  }
}

/// The elements of the result at one offset of every stride: an ordinary convolution of the operand with
/// a part of the kernel.
package struct TransposedPhase: Sendable {
  /// First element of the result along each axis.
  package let start: [Int]
  /// Elements along each axis.
  package let extents: [Int]
  /// For each axis the kernel elements that take part, and where in the operand each of them reads,
  /// from the element's number on.
  package let kernels: [[Int]]
  package let offsets: [[Int]]

  package var taps: Int { kernels.reduce(1) { $0 * $1.count } }
  package var positions: Int { extents.reduce(1, *) }

  /// The phases of a transposed convolution, given the window over its result.
  package static func phases(_ window: WindowGeometry) -> [TransposedPhase] {
    var starts: [[Int]] = [[]]
    for axis in 0..<window.rank {
      let count = min(window.strides[axis], window.input[axis])
      starts = starts.flatMap { start in (0..<count).map { start + [$0] } }
    }
    return starts.map { start in
      var kernels: [[Int]] = []
      var offsets: [[Int]] = []
      var extents: [Int] = []
      for axis in 0..<window.rank {
        let stride = window.strides[axis]
        extents.append((window.input[axis] - start[axis] + stride - 1) / stride)
        var own: [Int] = []
        var places: [Int] = []
        for k in 0..<window.kernel[axis] {
          let place = start[axis] + window.before[axis] - k * window.dilations[axis]
          guard place % stride == 0 else { continue }
          own.append(k)
          places.append(place / stride)
        }
        kernels.append(own)
        offsets.append(places)
      }
      return TransposedPhase(start: start, extents: extents, kernels: kernels, offsets: offsets)
    }
  }
}

extension TransposedConvolution {
  /// A convolution for each phase, whose results are spread over the output.
  private static func phased(
    _ geometry: ConvolutionGeometry, _ phases: [TransposedPhase], _ weight: Tensor,
    _ epilogue: FloatEpilogue, _ request: KernelRequest
  ) -> PlannedKernel {
    let products = phases.map { PhaseProduct(geometry, $0, weight) }
    let buffer = products.map { $0.patchCount + $0.resultCount }.max() ?? 0
    let pitch = alignedByteCount(buffer * 4)
    let matrices = request.matrices
    var tasks: [(phase: Int, group: Int, image: Int, columns: Range<Int>)] = []
    for n in 0..<geometry.batch {
      for group in 0..<geometry.groups {
        for (index, product) in products.enumerated() {
          for columns in product.tiles { tasks.append((index, group, n, columns)) }
        }
      }
    }
    let work = tasks
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      frame.pool.run(tasks: work.count) { index, worker in
        let task = work[index]
        let scratch = (frame.scratch + worker * pitch).assumingMemoryBound(to: Float.self)
        products[task.phase].run(
          frame, group: task.group, image: task.image, columns: task.columns, scratch, matrices)
      }
      finish(frame, geometry, epilogue)
    }
  }

  /// Products for every kernel element, added up where they overlap.
  private static func scattered(
    _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue, _ request: KernelRequest
  ) -> PlannedKernel {
    let window = geometry.window
    let patches = PatchMatrix(window)
    let (positions, result, taps) = (window.outputCount, window.inputCount, window.kernelCount)
    let (inputs, outputs) = (geometry.groupInputChannels, geometry.groupOutputChannels)
    let share = min(outputs, max(1, (1 << 19) / max(1, taps * positions)))
    let shares = (outputs + share - 1) / share
    let pitch = alignedByteCount(share * taps * positions * 4)
    let matrices = request.matrices
    let groups = geometry.groups
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let (x, w) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let y = frame.output(0, as: Float.self)
      frame.pool.run(tasks: geometry.batch * groups * shares) { task, worker in
        let scratch = (frame.scratch + worker * pitch).assumingMemoryBound(to: Float.self)
        let (n, group) = (task / shares / groups, task / shares % groups)
        let first = task % shares * share
        let count = min(share, outputs - first)
        let rows = count * taps
        matrices.multiply(
          m: rows, n: positions, k: inputs,
          a: w + (group * inputs * outputs + first) * taps, aStride: outputs * taps,
          transposeA: true, b: x + (n * groups + group) * inputs * positions, bStride: positions,
          transposeB: false, c: scratch, cStride: positions, accumulate: false)
        let target = y + ((n * groups + group) * outputs + first) * result
        target.update(repeating: 0, count: count * result)
        for m in 0..<count {
          patches.scatter(
            scratch + m * taps * positions, pitch: positions, to: target + m * result)
        }
      }
      finish(frame, geometry, epilogue)
    }
  }

  private static func finish(
    _ frame: KernelFrame, _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue
  ) {
    guard !epilogue.isEmpty else { return }
    let (channels, plane) = (geometry.outputChannels, geometry.window.inputCount)
    let share = max(1, (1 << 14) / max(1, plane))
    let shares = (channels + share - 1) / share
    frame.pool.run(tasks: geometry.batch * shares) { task in
      let first = task % shares * share
      epilogue.finish(
        frame, offset: (task / shares * channels + first) * plane,
        rows: min(share, channels - first), columns: plane, pitch: plane, channel: first)
    }
  }
}

/// The matrix products of one phase.
private struct PhaseProduct: Sendable {
  let tiles: [Range<Int>]
  let patchCount: Int
  let resultCount: Int
  private let geometry: ConvolutionGeometry
  private let phase: TransposedPhase
  private let patches: PatchMatrix
  /// [groups][output channels][input channels][taps]
  private let weights: KernelMemory
  private let depth: Int
  private let strides: [Int]

  init(_ geometry: ConvolutionGeometry, _ phase: TransposedPhase, _ weight: Tensor) {
    self.geometry = geometry
    self.phase = phase
    let window = geometry.window
    patches = PatchMatrix(
      input: window.output, output: phase.extents,
      strides: [Int](repeating: 1, count: window.rank), offsets: phase.offsets)
    depth = geometry.groupInputChannels * phase.taps
    var taps = [0]
    for axis in 0..<window.rank {
      taps = taps.flatMap { tap in phase.kernels[axis].map { tap * window.kernel[axis] + $0 } }
    }
    let (inputs, outputs) = (geometry.groupInputChannels, geometry.groupOutputChannels)
    let (all, groups) = (window.kernelCount, geometry.groups)
    let count = groups * outputs * inputs * taps.count
    weights = KernelMemory(byteCount: count * 4) { target in
      var to = target.assumingMemoryBound(to: Float.self)
      weight.withElements(of: Float.self) { w in
        for g in 0..<groups {
          for m in 0..<outputs {
            for c in 0..<inputs {
              let from = ((g * inputs + c) * outputs + m) * all
              for tap in taps {
                to.pointee = w[from + tap]
                to += 1
              }
            }
          }
        }
      }
    }
    let target = max(512, (1 << 18) / max(1, depth) / 16 * 16)
    tiles = PatchTile.tiles(batch: 1, positions: phase.positions, target: target).map(\.columns)
    let widest = tiles.map(\.count).max() ?? 0
    patchCount = (depth * widest + 15) / 16 * 16
    resultCount = outputs * widest
    strides = window.strides
  }

  func run(
    _ frame: KernelFrame, group: Int, image: Int, columns: Range<Int>,
    _ scratch: UnsafeMutablePointer<Float>, _ matrices: any MatrixBackend
  ) {
    let (inputs, outputs) = (geometry.groupInputChannels, geometry.groupOutputChannels)
    let plane = geometry.window.outputCount
    let results = scratch + patchCount
    let width = columns.count
    if depth > 0 {
      patches.fill(
        frame.input(0, as: Float.self) + (image * geometry.groups + group) * inputs * plane,
        channels: 0..<inputs, channelStride: plane, columns: columns, to: scratch, pitch: width)
      matrices.multiply(
        m: outputs, n: width, k: depth,
        a: weights.elements(of: Float.self) + group * outputs * depth, aStride: depth,
        transposeA: false, b: scratch, bStride: width, transposeB: false, c: results,
        cStride: width, accumulate: false)
    } else {
      results.update(repeating: 0, count: outputs * width)
    }
    spread(
      results, columns: columns,
      to: frame.output(0, as: Float.self) + (image * geometry.groups + group) * outputs
        * geometry.window.inputCount)
  }

  /// Writes results to their places in the output, row by row.
  private func spread(
    _ results: UnsafePointer<Float>, columns: Range<Int>, to y: UnsafeMutablePointer<Float>
  ) {
    let window = geometry.window
    let last = window.rank - 1
    let length = phase.extents[last]
    let step = strides[last]
    let plane = window.inputCount
    var column = columns.lowerBound
    while column < columns.upperBound {
      let row = column / length
      let from = column - row * length
      let count = min(length - from, columns.upperBound - column)
      // Where the row starts in the result.
      var place = 0
      var left = row
      var pitch = window.input[last]
      for axis in stride(from: last - 1, through: 0, by: -1) {
        place += (phase.start[axis] + left % phase.extents[axis] * strides[axis]) * pitch
        left /= phase.extents[axis]
        pitch *= window.input[axis]
      }
      let first = place + phase.start[last] + from * step
      let source = results + (column - columns.lowerBound)
      for m in 0..<geometry.groupOutputChannels {
        let (to, values) = (y + m * plane + first, source + m * columns.count)
        if step == 1 {
          to.update(from: values, count: count)
        } else {
          for i in 0..<count { to[i * step] = values[i] }
        }
      }
      column += count
    }
  }
}
