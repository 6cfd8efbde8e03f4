import CKernels

/// Products of two int8 matrices that are both made at run time (`Q14`): the right one is packed anew for each
/// product, with the sums of its columns, and the sums of the left one's rows are added where its zero point
/// is not 0.
package struct IntegerMatrixProduct: Sendable {
  private let tier: KernelTier
  private let rows: Int
  private let columns: Int
  private let depth: Int
  private let starts: [(a: Int, b: Int)]
  private let zeroPoints: (a: Int32, b: Int32)
  private let epilogue: PreparedEpilogue
  private let outputByteCount: Int
  private let window: KernelWindow
  private let taps: KernelMemory
  /// Pieces of rows into which each product is split.
  private let pieces: Int
  /// One worker's scratch: packed matrix, row terms, the kernel's own.
  private let places: (rowTerms: Int, kernel: Int, end: Int)
  package let scratchByteCount: Int

  /// - Parameter starts: first elements of the operands' matrices, one pair for each product.
  package init(
    tier: KernelTier, threads: Int, rows: Int, columns: Int, depth: Int,
    starts: [(a: Int, b: Int)], zeroPoints: (a: Int32, b: Int32), epilogue: KernelEpilogue
  ) {
    self.tier = tier
    self.rows = rows
    self.columns = columns
    self.depth = depth
    self.starts = starts
    self.zeroPoints = zeroPoints
    self.epilogue = PreparedEpilogue(epilogue)
    outputByteCount = epilogue.outputByteCount
    window = KernelWindow(rows: rows, depth: depth, channels: columns)
    taps = window.tapMemory
    pieces = max(1, min(threads / max(starts.count, 1), rows / 48))
    let rowTerms = alignedByteCount(tier.table.conv_s8_packed_size(columns, 1, depth))
    let kernel = rowTerms + alignedByteCount(4 * rows)
    var call = window.window(taps: taps)
    let end = kernel + alignedByteCount(tier.table.conv_s8_scratch_size(&call, 1, depth, columns))
    places = (rowTerms, kernel, end)
    scratchByteCount = end * threads
  }

  package func run(
    _ a: UnsafePointer<Int8>, _ b: UnsafePointer<Int8>, output: UnsafeMutableRawPointer,
    scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    guard rows > 0, columns > 0 else { return }
    pool.run(tasks: starts.count * pieces) { task, worker in
      let (index, piece) = (task / pieces, task % pieces)
      product(
        a + starts[index].a, b + starts[index].b,
        output: output + index * rows * columns * outputByteCount,
        rows * piece / pieces..<rows * (piece + 1) / pieces, scratch + worker * places.end)
    }
  }

  private func product(
    _ a: UnsafePointer<Int8>, _ b: UnsafePointer<Int8>, output: UnsafeMutableRawPointer,
    _ part: Range<Int>, _ scratch: UnsafeMutableRawPointer
  ) {
    tier.table.conv_s8_pack(
      b, ck_weight_steps(channel_step: 1, step: columns, inner: 0), columns, 1, depth, scratch)
    var rowTerms: UnsafePointer<Int32>?
    if zeroPoints.b != 0 {
      let terms = (scratch + places.rowTerms).assumingMemoryBound(to: Int32.self)
      tier.rowSums(
        rows: part.count, columns: depth, a + part.lowerBound * depth, row: depth,
        to: terms + part.lowerBound)
      let offset = Int32(truncatingIfNeeded: depth) &* zeroPoints.a
      for row in part { terms[row] = (terms[row] &- offset) &* (0 &- zeroPoints.b) }
      rowTerms = UnsafePointer(terms)
    }
    var call = ck_conv_s8(
      window: window.window(taps: taps), input: a, tap_pixels: 1, tap_channels: Int32(depth),
      pad: Int8(truncatingIfNeeded: zeroPoints.a), weights: UnsafeRawPointer(scratch), is_warm: 0,
      bias: nil, row_bias: rowTerms, output: output,
      residual_stride: window.outputStride.strides,
      epilogue: epilogue.code(channel: 0, residual: nil), second: nil)
    tier.table.conv_s8(
      &call, part.lowerBound, part.upperBound, 0, columns, scratch + places.kernel)
  }
}
