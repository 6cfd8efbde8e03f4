import ModelKernels

/// Products of matrices in float32, cut into tasks by their shape alone.
struct FloatProduct: Sendable {
  let m: Int
  let n: Int
  let k: Int
  let transposeA: Bool
  let transposeB: Bool
  private let rowBlock: Int
  private let columnBlock: Int
  private let matrices: any MatrixBackend
  private let tier: KernelTier

  /// Up to this many rows are summed directly: a matrix read once is not worth packing.
  private static let directRows = 2

  init(
    m: Int, n: Int, k: Int, transposeA: Bool = false, transposeB: Bool = false,
    _ request: KernelRequest
  ) {
    self.m = m
    self.n = n
    self.k = k
    self.transposeA = transposeA
    self.transposeB = transposeB
    matrices = request.matrices
    tier = request.tier
    rowBlock = 256
    columnBlock = m <= FloatProduct.directRows ? 128 : 512
  }

  private var rowBlocks: Int { (m + rowBlock - 1) / rowBlock }
  private var columnBlocks: Int { (n + columnBlock - 1) / columnBlock }
  /// Tasks that the product consists of.
  var tasks: Int { rowBlocks * columnBlocks }

  /// The part of the result that a task makes.
  func block(_ task: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (i, j) = (task % rowBlocks * rowBlock, task / rowBlocks * columnBlock)
    return (i..<min(m, i + rowBlock), j..<min(n, j + columnBlock))
  }

  /// Makes one task's part of C.
  func run(
    _ task: Int, a: UnsafePointer<Float>, b: UnsafePointer<Float>, c: UnsafeMutablePointer<Float>,
    aStride: Int? = nil, bStride: Int? = nil, cStride: Int? = nil
  ) {
    let (rows, columns) = block(task)
    let aStride = aStride ?? (transposeA ? m : k)
    let bStride = bStride ?? (transposeB ? k : n)
    let cStride = cStride ?? n
    let c = c + rows.lowerBound * cStride + columns.lowerBound
    let a = a + (transposeA ? rows.lowerBound : rows.lowerBound * aStride)
    let b = b + (transposeB ? columns.lowerBound * bStride : columns.lowerBound)
    if rows.count <= FloatProduct.directRows, !transposeA {
      if transposeB {
        for i in 0..<rows.count {
          FloatProduct.dots(k, columns.count, a + i * aStride, b, bStride, c + i * cStride)
        }
      } else {
        tier.multiply(
          m: rows.count, n: columns.count, k: k, a: a, aStride: aStride, b: b, bStride: bStride,
          c: c, cStride: cStride)
      }
      return
    }
    matrices.multiply(
      m: rows.count, n: columns.count, k: k, a: a, aStride: aStride, transposeA: transposeA, b: b,
      bStride: bStride, transposeB: transposeB, c: c, cStride: cStride, accumulate: false)
  }

  /// c[j] = Σ a[p] · b[j][p], summed in sixteen lanes.
  private static func dots(
    _ k: Int, _ n: Int, _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ stride: Int,
    _ c: UnsafeMutablePointer<Float>
  ) {
    let whole = k / 16 * 16
    for j in 0..<n {
      let row = b + j * stride
      var lanes = SIMD16<Float>.zero
      var p = 0
      while p < whole {
        let x = UnsafeRawPointer(a + p).loadUnaligned(as: SIMD16<Float>.self)
        let y = UnsafeRawPointer(row + p).loadUnaligned(as: SIMD16<Float>.self)
        lanes += x * y
        p += 16
      }
      var sum = (lanes.lowHalf + lanes.highHalf).sum()
      while p < k {
        sum += a[p] * row[p]
        p += 1
      }
      c[j] = sum
    }
  }
}
