import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension ConvolutionWeightGradient: PlannedOperator {
  /// Sums of the parts that one task adds up.
  private static let sumsTogether = 4096

  /// Threads change no bit: what they share out falls into parts by the shapes alone.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32 else { return nil }
    let geometry = try geometry(
      request.operands.required(0).shape, request.operands.required(1).shape)
    guard geometry.multiplyAccumulates > 0 else { return nil }
    if let square = ConvolutionWeightGradient.square(geometry, request) { return square }
    if let direct = ConvolutionWeightGradient.outerProducts(geometry, request) { return direct }
    return ConvolutionWeightGradient.patches(geometry, request)
  }

  /// Of 3×3 elements, with fewer products; parts of the lines have sums of their own.
  private static func square(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> PlannedKernel? {
    guard !request.isExact, geometry.groups == 1,
      let x = request.operands.optional(0).flatMap({ ChannelsLastImage($0.shape) }),
      let errors = request.operands.optional(1).flatMap({ ChannelsLastImage($0.shape) }),
      case let convolution = ConvolutionParts(geometry, input: x, output: errors).parts,
      convolution.count == 1,
      let gradient = SquareGradient(
        tier: request.tier, part: convolution[0], channels: geometry.outputChannels)
    else { return nil }
    let parts = max(1, min(gradient.pairs, 8, (1 << 22) / gradient.count))
    let sumByteCount = alignedByteCount(gradient.count * 4)
    let pitch = sumByteCount + gradient.scratchByteCount
    return PlannedKernel(
      operandLayouts: [.channelsLast, .channelsLast], scratchByteCount: pitch * parts,
      multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let scratch = frame.scratch
      let (x, errors) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      frame.pool.run(tasks: parts) { part in
        let own = scratch + part * pitch
        let sums = own.assumingMemoryBound(to: Float.self)
        sums.update(repeating: 0, count: gradient.count)
        gradient.add(
          gradient.pairs * part / parts..<gradient.pairs * (part + 1) / parts, input: x,
          errors: errors, to: sums, scratch: own + sumByteCount)
      }
      gradient.finish(
        (0..<parts).map { (scratch + $0 * pitch).assumingMemoryBound(to: Float.self) },
        to: frame.output(0, as: Float.self))
    }
  }

  /// Sums of outer products over the positions of images of up to two axes, channels-last: for each element of
  /// the kernel, the image's channels at the position that it reads by the gradient's channels, vectors going over
  /// whichever are more. Parts of the rows have sums of their own.
  private static func outerProducts(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> PlannedKernel? {
    let window = geometry.window
    guard window.rank <= 2, !geometry.isDepthwise else { return nil }
    let (depth, filters) = (geometry.groupInputChannels, geometry.groupOutputChannels)
    // The image's channels are the vectors where there are more of them.
    let turns = depth > filters
    let (few, many) = turns ? (filters, depth) : (depth, filters)
    let pitch = (many + KernelTier.outerBlock - 1) / KernelTier.outerBlock * KernelTier.outerBlock
    let (taps, groups) = (window.kernelCount, geometry.groups)
    let tapCount = few * pitch
    let count = groups * taps * tapCount
    let last = window.rank - 1
    let (height, width) = (window.rank == 2 ? window.input[0] : 1, window.input[last])
    let (rows, columns) = (window.rank == 2 ? window.output[0] : 1, window.output[last])
    let (kernelRows, kernelColumns) = (
      window.rank == 2 ? window.kernel[0] : 1, window.kernel[last]
    )
    let (rowStride, stride) = (window.rank == 2 ? window.strides[0] : 1, window.strides[last])
    let lines = geometry.batch * rows
    let parts = max(1, min(lines, 8, (1 << 22) / max(1, count)))
    let partByteCount = alignedByteCount(count * 4)
    let partCount = partByteCount / 4
    let blocks = min(filters, 16)
    let (inputs, outputs) = (geometry.inputChannels, geometry.outputChannels)
    let (tier, isFused) = (request.tier, !request.isExact)
    /// Columns of the output whose element `offset` lies inside the image.
    func span(_ offset: Int) -> Range<Int> {
      let low = offset >= 0 ? 0 : (-offset + stride - 1) / stride
      let high = offset >= width ? 0 : (width - 1 - offset) / stride + 1
      return min(low, columns)..<max(min(high, columns), min(low, columns))
    }
    let offsets = (0..<kernelColumns).map { $0 * window.dilations[last] - window.before[last] }
    let spans = offsets.map(span)
    let rowOffsets = (0..<kernelRows).map {
      window.rank == 2 ? $0 * window.dilations[0] - window.before[0] : 0
    }
    return PlannedKernel(
      operandLayouts: [.channelsLast, .channelsLast],
      scratchByteCount: partByteCount * parts,
      multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let (x, errors) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let whole = frame.scratch.assumingMemoryBound(to: Float.self)
      frame.pool.run(tasks: parts) { part in
        let sums = whole + part * partCount
        sums.update(repeating: 0, count: count)
        for line in lines * part / parts..<lines * (part + 1) / parts {
          let (n, row) = (line / rows, line % rows)
          for (i, rowOffset) in rowOffsets.enumerated() {
            let source = row * rowStride + rowOffset
            guard source >= 0, source < height else { continue }
            for (j, offset) in offsets.enumerated() where !spans[j].isEmpty {
              let first = spans[j].lowerBound
              let image = x + ((n * height + source) * width + first * stride + offset) * inputs
              let error = errors + (line * columns + first) * outputs
              for group in 0..<groups {
                let target = sums + ((group * kernelRows + i) * kernelColumns + j) * tapCount
                let (a, b) = (image + group * depth, error + group * filters)
                tier.addOuterProducts(
                  count: spans[j].count, turns ? b : a, aStep: turns ? outputs : stride * inputs,
                  aCount: few, turns ? a : b, bStep: turns ? stride * inputs : outputs,
                  bCount: many, to: target, pitch: pitch, isFused: isFused)
              }
            }
          }
        }
      }
      frame.pool.run(tasks: (count + sumsTogether - 1) / sumsTogether) { task in
        let own = task * sumsTogether..<min(count, (task + 1) * sumsTogether)
        for part in 1..<parts {
          let sums = whole + part * partCount
          for index in own { whole[index] += sums[index] }
        }
      }
      let y = frame.output(0, as: Float.self)
      frame.pool.run(tasks: groups * blocks) { task in
        let (group, block) = (task / blocks, task % blocks)
        let own = filters * block / blocks..<filters * (block + 1) / blocks
        for tap in 0..<taps {
          let sums = whole + (group * taps + tap) * tapCount
          let target = y + group * filters * depth * taps + tap
          if turns {
            for m in own {
              for c in 0..<depth { target[(m &* depth &+ c) &* taps] = sums[m &* pitch &+ c] }
            }
          } else {
            for c in 0..<depth {
              for m in own { target[(m &* depth &+ c) &* taps] = sums[c &* pitch &+ m] }
            }
          }
        }
      }
    }
  }

  /// Matrix products over positions, tile by tile; the tiles fall into parts by the shapes alone, whose sums
  /// are added in order, so that threads change no bit.
  private static func patches(
    _ geometry: ConvolutionGeometry, _ request: KernelRequest
  ) -> PlannedKernel {
    let (depth, filters) = (geometry.groupInputChannels, geometry.groupOutputChannels)
    let (groups, batch, window) = (geometry.groups, geometry.batch, geometry.window)
    let (plane, positions) = (window.inputCount, window.outputCount)
    let rows = depth * window.kernelCount
    let patches = PatchMatrix(window)
    let width = max(64, min(positions, (1 << 17) / max(1, rows) / 16 * 16))
    let tiles = (positions + width - 1) / width
    let parts = min(tiles * batch, 8)
    let (count, matrix) = (filters * rows * groups, rows * width)
    let pitch = alignedByteCount((count + matrix) * 4)
    let matrices = request.matrices
    let (inputs, outputs) = (geometry.inputChannels, geometry.outputChannels)
    return PlannedKernel(
      scratchByteCount: pitch * parts, multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let (x, errors) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let scratch = frame.scratch
      frame.pool.run(tasks: parts) { part in
        let sums = (scratch + part * pitch).assumingMemoryBound(to: Float.self)
        let columns = sums + count
        sums.update(repeating: 0, count: count)
        for tile in tiles * batch * part / parts..<tiles * batch * (part + 1) / parts {
          let (n, first) = (tile / tiles, tile % tiles * width)
          let range = first..<min(positions, first + width)
          for group in 0..<groups {
            patches.fill(
              x + (n * inputs + group * depth) * plane, channels: 0..<depth, channelStride: plane,
              columns: range, to: columns, pitch: width)
            matrices.multiply(
              m: filters, n: rows, k: range.count,
              a: errors + (n * outputs + group * filters) * positions + first, aStride: positions,
              transposeA: false, b: columns, bStride: width, transposeB: true,
              c: sums + group * filters * rows, cStride: rows, accumulate: true)
          }
        }
      }
      let y = frame.output(0, as: Float.self)
      for part in 0..<parts {
        let sums = (scratch + part * pitch).assumingMemoryBound(to: Float.self)
        if part == 0 {
          y.update(from: sums, count: count)
        } else {
          for index in 0..<count { y[index] += sums[index] }
        }
      }
    }
  }
}
