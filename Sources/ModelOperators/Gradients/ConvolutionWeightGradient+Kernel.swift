import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension ConvolutionWeightGradient: PlannedOperator {
  /// Matrix products over positions, tile by tile; the tiles fall into parts by the shapes alone, whose sums
  /// are added in order, so that threads change no bit.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    guard request.isFloat32 else { return nil }
    let geometry = try geometry(
      request.operands.required(0).shape, request.operands.required(1).shape)
    guard geometry.multiplyAccumulates > 0 else { return nil }
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
