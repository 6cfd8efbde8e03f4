import CKernels

/// Float32 functions of one value with fixed polynomials (`Q35`–`Q41`): the same bits everywhere.
package enum UnaryFunction: Sendable, Hashable, CaseIterable {
  case abs
  /// Limits `p0` and `p1`.
  case clip
  /// `p0` is α.
  case elu
  case erf, exp, gelu, geluTanh
  /// `p0` is α, `p1` is β.
  case hardSigmoid
  case hardSwish
  /// `p0` is the slope below zero.
  case leaky
  case log, mish, negate, reciprocal, relu, sigmoid, silu, softplus, softsign, sqrt, tanh

  var code: ck_unary {
    switch self {
    case .abs: .abs
    case .clip: .clip
    case .elu: .elu
    case .erf: .erf
    case .exp: .exp
    case .gelu: .gelu
    case .geluTanh: .geluTanh
    case .hardSigmoid: .hardSigmoid
    case .hardSwish: .hardSwish
    case .leaky: .leaky
    case .log: .log
    case .mish: .mish
    case .negate: .negate
    case .reciprocal: .reciprocal
    case .relu: .relu
    case .sigmoid: .sigmoid
    case .silu: .silu
    case .softplus: .softplus
    case .softsign: .softsign
    case .sqrt: .sqrt
    case .tanh: .tanh
    }
  }
}

/// Float32 functions of two values.
package enum BinaryFunction: Sendable, Hashable, CaseIterable {
  case add, subtract, multiply, divide, minimum, maximum
  /// a < 0 ? a·b : a
  case prelu
  case gate

  var code: ck_binary {
    switch self {
    case .add: .add
    case .subtract: .subtract
    case .multiply: .multiply
    case .divide: .divide
    case .minimum: .minimum
    case .maximum: .maximum
    case .prelu: .prelu
    case .gate: .gate
    }
  }
}

/// Reductions of a row in the fixed order of `Q30`.
package enum RowReduction: Sendable, Hashable, CaseIterable {
  case sum, mean, maximum, minimum, sumOfSquares
  /// √Σx²
  case l2

  var code: ck_reduction {
    switch self {
    case .sum: .sum
    case .mean: .mean
    case .maximum: .maximum
    case .minimum: .minimum
    case .sumOfSquares: .sumOfSquares
    case .l2: .l2
    }
  }
}

/// Normalisations of a row (`Q32`).
package enum RowNormalization: Sendable, Hashable, CaseIterable {
  case layer, rms, l2

  var code: ck_normalization {
    switch self {
    case .layer: .layer
    case .rms: .rms
    case .l2: .l2
    }
  }
}

/// A float32 operand of a kernel over rows: element (i, j) is at `i * row + j * column`. `column` is 1,
/// or 0 where one value serves the whole row; `row` may be 0.
package struct RowOperand {
  package let data: UnsafePointer<Float>
  package let row: Int
  package let column: Int

  package init(_ data: UnsafePointer<Float>, row: Int, column: Int = 1) {
    self.data = data
    self.row = row
    self.column = column
  }

  var operand: ck_operand_f32 { ck_operand_f32(data: data, row: row, column: column) }
}

// MARK: - Elements

extension KernelTier {
  /// y[i] = f(x[i]); `y` may be `x`.
  package func apply(
    _ function: UnaryFunction, count: Int, _ x: UnsafePointer<Float>,
    to y: UnsafeMutablePointer<Float>, p0: Float = 0, p1: Float = 0
  ) {
    table.unary_f32(function.code, count, x, p0, p1, y)
  }

  /// y[i · yRow + j] = f(a(i, j), b(i, j)); `y` may be an operand.
  package func combine(
    _ function: BinaryFunction, rows: Int, columns: Int, _ a: RowOperand, _ b: RowOperand,
    to y: UnsafeMutablePointer<Float>, row yRow: Int
  ) {
    table.binary_f32(function.code, rows, columns, a.operand, b.operand, y, yRow)
  }

  /// y = x · scale + shift (`Q33`).
  package func scaleAndShift(
    rows: Int, columns: Int, _ x: RowOperand, scale: RowOperand, shift: RowOperand,
    to y: UnsafeMutablePointer<Float>, row yRow: Int
  ) {
    table.affine_f32(rows, columns, x.operand, scale.operand, shift.operand, y, yRow)
  }
}

// MARK: - Rows

extension KernelTier {
  /// y[i] = the reduction of row i of x.
  package func reduce(
    _ reduction: RowReduction, rows: Int, columns: Int, _ x: UnsafePointer<Float>, row xRow: Int,
    to y: UnsafeMutablePointer<Float>
  ) {
    table.reduce_rows_f32(reduction.code, rows, columns, x, xRow, y)
  }

  /// Softmax, or its logarithm, of each row (`Q31`); `y` may be `x`.
  package func softmax(
    rows: Int, columns: Int, _ x: UnsafePointer<Float>, row xRow: Int,
    to y: UnsafeMutablePointer<Float>, row yRow: Int, logarithm: Bool = false
  ) {
    table.softmax_rows_f32(rows, columns, x, xRow, logarithm ? 1 : 0, y, yRow)
  }

  /// A normalisation of each row, times `gamma`, plus `beta` (`Q32`); `y` may be `x`.
  package func normalize(
    _ normalization: RowNormalization, rows: Int, columns: Int, _ x: UnsafePointer<Float>,
    row xRow: Int, epsilon: Float, gamma: RowOperand? = nil, beta: RowOperand? = nil,
    to y: UnsafeMutablePointer<Float>, row yRow: Int
  ) {
    withOptionalPointer(to: gamma?.operand) { gamma in
      withOptionalPointer(to: beta?.operand) { beta in
        table.normalize_rows_f32(
          normalization.code, rows, columns, x, xRow, epsilon, gamma, beta, y, yRow)
      }
    }
  }
}

extension KernelTier {
  /// y[i · columns + j] = the sum of weights[t] · x[indices[t] · columns + j] over `starts[i]` ≤ t < `starts[i + 1]`; `absent` where there
  /// is nothing to sum.
  package func mix(
    rows: Int, columns: Int, starts: UnsafePointer<Int>, indices: UnsafePointer<Int>,
    weights: UnsafePointer<Float>, _ x: UnsafePointer<Float>, absent: Float,
    to y: UnsafeMutablePointer<Float>
  ) {
    table.mix_rows_f32(rows, columns, starts, indices, weights, x, absent, y)
  }
}

// MARK: - Matrices

extension KernelTier {
  /// C = A·B, or C += A·B where `accumulate`, each element summed over k in order (`Q29`); products are not rounded before they are
  /// added where `isFused` and the tier can.
  ///
  /// A is m×k, B is k×n, C is m×n, row-major with these row strides; transposed operands are stored
  /// the other way round. Columns `columns` and rows `rows` of C are computed, so that calls on
  /// disjoint parts can run at once.
  package func multiply(
    m: Int, n: Int, k: Int,
    a: UnsafePointer<Float>, aStride: Int, transposeA: Bool = false,
    b: UnsafePointer<Float>, bStride: Int, transposeB: Bool = false,
    c: UnsafeMutablePointer<Float>, cStride: Int, accumulate: Bool = false, isFused: Bool = false,
    rows: Range<Int>? = nil, columns: Range<Int>? = nil
  ) {
    var product = ck_gemm_f32(
      m: m, n: n, k: k, a: a, a_row: transposeA ? 1 : aStride, a_column: transposeA ? aStride : 1,
      b: b, b_row: bStride, b_transposed: transposeB ? 1 : 0, accumulate: accumulate ? 1 : 0,
      fused: isFused ? 1 : 0,
      row_bias: nil, column_bias: nil, c: c, c_row: cStride)
    let rows = rows ?? 0..<m
    let columns = columns ?? 0..<n
    table.gemm_f32(
      &product, rows.lowerBound, rows.upperBound, columns.lowerBound, columns.upperBound)
  }
}

func withOptionalPointer<Value, Result>(
  to value: Value?, _ body: (UnsafePointer<Value>?) -> Result
) -> Result {
  guard var value else { return body(nil) }
  return withUnsafePointer(to: &value) { body($0) }
}
