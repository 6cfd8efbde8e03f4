import CKernels

/// The products of a key-value memory on integers (`Q61`, `Q63`).
extension KernelTier {
  /// Bytes that scores of directions of `width` components are worked out in.
  package static func slotScratchByteCount(width: Int) -> Int { 8 * width }

  /// The product of each direction with each key, times the key's scale.
  ///
  /// - Parameters:
  ///   - directions, keys: rows of `width`, one after the other.
  ///   - row: from one direction's scores to the next.
  package func scoreSlots(
    rows: Int, slots: Int, width: Int, _ directions: UnsafePointer<Int16>,
    keys: UnsafePointer<Int16>, scales: UnsafePointer<Float>,
    to scores: UnsafeMutablePointer<Float>, row: Int, scratch: UnsafeMutableRawPointer
  ) {
    var call = ck_slot_scores(
      rows: rows, slots: slots, width: width, directions: directions, direction_row: width,
      keys: keys, key_row: width, scales: scales, scores: scores, score_row: row)
    table.score_slots_s16(&call, scratch)
  }

  /// What shares in steps of 1/65,535 read of the values of their slots; those below `least` read nothing.
  ///
  /// - Parameter values: rows of `columns`, one after the other.
  package func readSlots(
    _ slots: Int, columns: Int, shares: UnsafePointer<Float>, least: Float,
    values: UnsafePointer<Int8>, to sums: UnsafeMutablePointer<Int32>
  ) {
    table.read_slots_s8(slots, columns, shares, least, values, columns, sums)
  }
}
