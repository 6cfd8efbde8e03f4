import CKernels

extension KernelTier {
  /// Elements of b, and columns of the sums, are read and written in blocks of so many.
  package static let outerBlock = 32

  /// sums[i · pitch + j] += Σₚ a[p · aStep + i] · b[p · bStep + j], in the order of p; columns of `sums` from
  /// `bCount` to the next multiple of ``outerBlock`` hold nothing of meaning.
  package func addOuterProducts(
    count: Int, _ a: UnsafePointer<Float>, aStep: Int, aCount: Int, _ b: UnsafePointer<Float>,
    bStep: Int, bCount: Int, to sums: UnsafeMutablePointer<Float>, pitch: Int, isFused: Bool
  ) {
    var outer = ck_outer_f32(
      count: count, a: a, a_step: aStep, a_count: aCount, b: b, b_step: bStep, b_count: bCount,
      fused: isFused ? 1 : 0, sums: sums, sums_row: pitch)
    table.outer_f32(&outer)
  }
}
