import CKernels

/// What calibration keeps of float32 values (`Q48`, `Q56`).
extension KernelTier {
  /// Of the finite values the least and the greatest; nil where there is none.
  package func extremes(
    _ values: UnsafeBufferPointer<Float>
  ) -> (range: ClosedRange<Float>?, notFinite: Int) {
    guard let first = values.baseAddress else { return (nil, 0) }
    let found = table.extremes_f32(values.count, first)
    return (
      found.least <= found.greatest ? found.least...found.greatest : nil, Int(found.not_finite)
    )
  }

  /// Bins of ``histogram(_:inverseWidth:into:)``, half of them below zero.
  package static let histogramBins = Int(CK_HISTOGRAM_BINS)

  /// Adds 1 to the bin of each finite value: that of ⌊value · `inverseWidth`⌋, or the nearest there is.
  ///
  /// - Parameter bins: ``histogramBins`` counts.
  package func histogram(
    _ values: UnsafeBufferPointer<Float>, inverseWidth: Float,
    into bins: UnsafeMutableBufferPointer<Int>
  ) {
    precondition(bins.count == Self.histogramBins)
    guard let first = values.baseAddress else { return }
    bins.withMemoryRebound(to: Int64.self) { bins in
      guard let bins = bins.baseAddress else { return }
      table.histogram_f32(values.count, first, inverseWidth, bins)
    }
  }

  /// Adds the values of each channel and their number to what is there.
  ///
  /// Values count in whole steps of 2⁻²⁴; those beyond ±2²⁰ or NaN are left out.
  ///
  /// - Parameters:
  ///   - values: `[outer, channels, inner]`, row-major.
  ///   - sums: in steps of 2⁻²⁴, one for each channel.
  package func addChannelSums(
    _ values: UnsafeBufferPointer<Float>, channels: Int, inner: Int,
    sums: inout [Int128], counts: inout [Int]
  ) {
    guard let first = values.baseAddress, channels > 0, inner > 0 else { return }
    let outer = values.count / (channels * inner)
    precondition(sums.count == channels && counts.count == channels)
    // As many of a channel as an Int64 can sum.
    let most = 1 << 18
    let columns = min(inner, most)
    let blocks = max(most / columns, 1)
    for block in stride(from: 0, to: outer, by: blocks) {
      for column in stride(from: 0, to: inner, by: columns) {
        var partSums = [Int64](repeating: 0, count: channels)
        var partCounts = partSums
        table.channel_sums_f32(
          min(blocks, outer - block), channels, min(columns, inner - column),
          first + block * channels * inner + column, channels * inner, inner,
          &partSums, &partCounts)
        for channel in 0..<channels {
          sums[channel] += Int128(partSums[channel])
          counts[channel] += Int(partCounts[channel])
        }
      }
    }
  }

  /// The nearest integers of values times `factor`, limited to ±32,767, ties to even.
  package func steps(_ values: UnsafeBufferPointer<Float>, factor: Float) -> [Int16] {
    [Int16](unsafeUninitializedCapacity: values.count) { steps, count in
      guard let first = values.baseAddress, let start = steps.baseAddress else { return }
      self.steps(count: values.count, first, factor: factor, to: start)
      count = values.count
    }
  }

  /// As above, of `count` values.
  package func steps(
    count: Int, _ values: UnsafePointer<Float>, factor: Float,
    to steps: UnsafeMutablePointer<Int16>
  ) {
    table.steps_s16(count, values, factor, steps)
  }

  /// Adds `factor` times each element of `x` to that of `y`; product and sum are rounded.
  package func add(
    _ factor: Double, times x: UnsafeBufferPointer<Double>,
    to y: UnsafeMutableBufferPointer<Double>
  ) {
    precondition(x.count == y.count)
    guard let first = x.baseAddress, let start = y.baseAddress else { return }
    table.add_multiple_f64(x.count, factor, first, start)
  }

  /// Adds to each of `sums` the number of `x` times `factor`, to the nearest integer, ties to even.
  ///
  /// - Returns: whether a sum left 64 bits.
  package func add(_ factor: Double, times x: [Int32], to sums: inout [Int64]) -> Bool {
    precondition(x.count == sums.count)
    return table.add_rounded_s64(x.count, x, factor, &sums) != 0
  }

  /// Σ over the columns of the products of each row with itself and those before it: a packed lower triangle.
  ///
  /// - Parameter x: `[rows, columns]`. No sum may leave 32 bits.
  package func rowProducts(
    _ x: UnsafeBufferPointer<Int16>, rows: Int, columns: Int
  ) -> [Int32] {
    precondition(x.count == rows * columns)
    return [Int32](unsafeUninitializedCapacity: rows * (rows + 1) / 2) { sums, count in
      guard let first = x.baseAddress, let start = sums.baseAddress else { return }
      table.row_products_s16(rows, columns, first, columns, start)
      count = sums.count
    }
  }
}
