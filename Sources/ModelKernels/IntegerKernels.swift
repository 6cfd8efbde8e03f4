import CKernels

/// The int8 end of a kernel: y = clampq(t) with this zero point and these limits, then the table if
/// there is one (`Q18`, `Q19`).
package struct IntegerClamp: Sendable, Hashable {
  package var zeroPoint: Int32
  package var low: Int32 = -128
  package var high: Int32 = 127
  /// 256 entries, indexed by y + 128.
  package var table: [Int8]?

  package init(zeroPoint: Int32, low: Int32 = -128, high: Int32 = 127, table: [Int8]? = nil) {
    self.zeroPoint = zeroPoint
    self.low = low
    self.high = high
    self.table = table
  }

  /// The rounding, limits and table as one value for kernels.
  func withPointer<Result>(_ body: (UnsafePointer<ck_clamp>) -> Result) -> Result {
    guard let table else {
      var clamp = ck_clamp(zero: zeroPoint, low: low, high: high, table: nil)
      return body(&clamp)
    }
    return table.withUnsafeBufferPointer { entries in
      var clamp = ck_clamp(zero: zeroPoint, low: low, high: high, table: entries.baseAddress)
      return body(&clamp)
    }
  }

  /// The result of one value: the formula that kernels vectorise.
  package func callAsFunction(_ t: Float) -> Int8 {
    let (lower, upper) = (Float(low - zeroPoint), Float(high - zeroPoint))
    let raised = t > lower ? t : lower
    let limited = raised < upper ? raised : upper
    let y = Int32(limited.rounded(.toNearestOrEven)) + zeroPoint
    guard let table else { return Int8(y) }
    return table[Int(y) + 128]
  }
}

/// An int8 operand of a kernel over rows: element (i, j) is at `i * row + j * column`. `column` is 1, or
/// 0 where one value serves the whole row; `row` may be 0.
package struct IntegerRowOperand {
  package let data: UnsafePointer<Int8>
  package let row: Int
  package let column: Int
  package let zeroPoint: Int32

  package init(_ data: UnsafePointer<Int8>, row: Int, column: Int = 1, zeroPoint: Int32) {
    self.data = data
    self.row = row
    self.column = column
    self.zeroPoint = zeroPoint
  }

  var operand: ck_operand_s8 {
    ck_operand_s8(data: data, row: row, column: column, zero: zeroPoint)
  }
}

// MARK: - Elements

extension KernelTier {
  /// y = clampq((a − za)·ma + (b − zb)·mb) (`Q22`); `y` may be an operand.
  package func add(
    rows: Int, columns: Int, _ a: IntegerRowOperand, multiplier ma: Float, _ b: IntegerRowOperand,
    multiplier mb: Float, to y: UnsafeMutablePointer<Int8>, row yRow: Int, clamp: IntegerClamp
  ) {
    clamp.withPointer { clamp in
      var arguments = ck_binary_s8(
        rows: rows, columns: columns, a: a.operand, b: b.operand, a_multiplier: ma,
        b_multiplier: mb, output: y, output_row: yRow, clamp: clamp.pointee)
      table.add_s8(&arguments)
    }
  }

  /// y = clampq((a − za)·(b − zb)·m) (`Q23`); `y` may be an operand.
  package func multiply(
    rows: Int, columns: Int, _ a: IntegerRowOperand, _ b: IntegerRowOperand, multiplier: Float,
    to y: UnsafeMutablePointer<Int8>, row yRow: Int, clamp: IntegerClamp
  ) {
    clamp.withPointer { clamp in
      var arguments = ck_binary_s8(
        rows: rows, columns: columns, a: a.operand, b: b.operand, a_multiplier: multiplier,
        b_multiplier: 0, output: y, output_row: yRow, clamp: clamp.pointee)
      table.multiply_s8(&arguments)
    }
  }

  /// y = clampq((x − z)·m) (`Q21`), in rows; `y` may be `x`.
  package func requantize(
    rows: Int, columns: Int, _ x: UnsafePointer<Int8>, row xRow: Int, zeroPoint: Int32,
    multiplier: Float, to y: UnsafeMutablePointer<Int8>, row yRow: Int, clamp: IntegerClamp
  ) {
    clamp.withPointer {
      table.requantize_s8(rows, columns, x, xRow, zeroPoint, multiplier, y, yRow, $0)
    }
  }

  /// y = entries[x + 128], in rows; `y` may be `x`.
  package func lookUp(
    rows: Int, columns: Int, _ x: UnsafePointer<Int8>, row xRow: Int,
    in entries: UnsafePointer<Int8>,
    to y: UnsafeMutablePointer<Int8>, row yRow: Int
  ) {
    table.lookup_s8(rows, columns, x, xRow, entries, y, yRow)
  }

  /// y = clampq(x · inverseScale) (`Q7`).
  package func quantize(
    count: Int, _ x: UnsafePointer<Float>, inverseScale: Float, to y: UnsafeMutablePointer<Int8>,
    clamp: IntegerClamp
  ) {
    clamp.withPointer { table.quantize_f32_s8(count, x, inverseScale, y, $0) }
  }

  /// y = (x − z)·s (`Q8`).
  package func dequantize(
    count: Int, _ x: UnsafePointer<Int8>, scale: Float, zeroPoint: Int32,
    to y: UnsafeMutablePointer<Float>
  ) {
    table.dequantize_s8_f32(count, x, scale, zeroPoint, y)
  }

  /// y[r] = the sum of row r of x: the row term of `Q14`.
  package func rowSums(
    rows: Int, columns: Int, _ x: UnsafePointer<Int8>, row xRow: Int,
    to y: UnsafeMutablePointer<Int32>
  ) {
    table.row_sums_s8(rows, columns, x, xRow, y)
  }
}

// MARK: - Layout

extension KernelTier {
  /// y[column][row] = x[row][column]; rows are `xRow` and `yRow` elements apart.
  package func transpose(
    rows: Int, columns: Int, _ x: UnsafePointer<Int8>, row xRow: Int,
    to y: UnsafeMutablePointer<Int8>, row yRow: Int
  ) {
    table.transpose_s8(rows, columns, x, xRow, y, yRow)
  }

  /// As for int8.
  package func transpose(
    rows: Int, columns: Int, _ x: UnsafePointer<Float>, row xRow: Int,
    to y: UnsafeMutablePointer<Float>, row yRow: Int
  ) {
    table.transpose_f32(rows, columns, x, xRow, y, yRow)
  }

  /// The same of elements of `elementByteCount`, whatever they are.
  ///
  /// - Precondition: there are 1, 2, 4 or 8 bytes.
  package func transpose(
    elementByteCount: Int, rows: Int, columns: Int, _ x: UnsafeRawPointer, row xRow: Int,
    to y: UnsafeMutableRawPointer, row yRow: Int
  ) {
    func each<Element: BitwiseCopyable>(_: Element.Type) {
      let x = x.assumingMemoryBound(to: Element.self)
      let y = y.assumingMemoryBound(to: Element.self)
      for column in 0..<columns {
        for row in 0..<rows { y[column * yRow + row] = x[row * xRow + column] }
      }
    }
    switch elementByteCount {
    case 1:
      table.transpose_s8(
        rows, columns, x.assumingMemoryBound(to: Int8.self), xRow,
        y.assumingMemoryBound(to: Int8.self), yRow)
    case 2: each(UInt16.self)
    case 4:
      table.transpose_f32(
        rows, columns, x.assumingMemoryBound(to: Float.self), xRow,
        y.assumingMemoryBound(to: Float.self), yRow)
    default: each(UInt64.self)
    }
  }

  /// Quantizes [channels][positions] to [positions][channels], planes of which are `plane` elements apart and positions `pitch`.
  package func quantizeInterleaved(
    channels: Int, positions: Int, _ x: UnsafePointer<Float>, plane: Int, inverseScale: Float,
    to y: UnsafeMutablePointer<Int8>, pitch: Int, clamp: IntegerClamp
  ) {
    clamp.withPointer {
      table.quantize_interleave(channels, positions, x, plane, inverseScale, y, pitch, $0)
    }
  }

  /// Dequantizes [positions][channels] to [channels][positions], with distances as above.
  package func dequantizeDeinterleaved(
    channels: Int, positions: Int, _ x: UnsafePointer<Int8>, pitch: Int, scale: Float,
    zeroPoint: Int32, to y: UnsafeMutablePointer<Float>, plane: Int
  ) {
    table.dequantize_deinterleave(channels, positions, x, pitch, scale, zeroPoint, y, plane)
  }

  /// Fills `y` with elements of `width` bytes from planes of their first bytes, of their second ones, and so on.
  ///
  /// - Precondition: there are whole elements, as many in `y`.
  package static func joinPlanes(
    _ x: UnsafeRawBufferPointer, width: Int, to y: UnsafeMutableRawBufferPointer
  ) {
    precondition(x.count == y.count && width > 0 && x.count % width == 0)
    guard let from = x.bindMemory(to: UInt8.self).baseAddress,
      let to = y.bindMemory(to: UInt8.self).baseAddress
    else { return }
    ck_join_planes(x.count / width, width, from, to)
  }

  /// Copies `rows` runs of `byteCount` bytes; strides are in bytes.
  package static func copyRows(
    rows: Int, byteCount: Int, _ x: UnsafeRawPointer, stride xStride: Int,
    to y: UnsafeMutableRawPointer, stride yStride: Int
  ) {
    ck_copy_rows(rows, byteCount, x, xStride, y, yStride)
  }
}
