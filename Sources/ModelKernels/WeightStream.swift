import CKernels
import TensorCore

/// A distribution of coded weights, as a reader looks it up.
package final class WeightTable: Sendable {
  /// Written once, while it is made.
  fileprivate nonisolated(unsafe) let table = UnsafeMutablePointer<ck_weight_table>.allocate(
    capacity: 1)

  /// Weights in all, of which each frequency is a share.
  package static let total = Int(CK_WEIGHT_SLOTS)

  /// - Parameter frequencies: of −128…127, in order.
  /// - Precondition: there are 256, none below 0, and their sum is ``total``.
  package init(frequencies: [Int]) {
    precondition(frequencies.count == 256 && frequencies.allSatisfy { $0 >= 0 })
    precondition(frequencies.reduce(0, +) == WeightTable.total)
    ck_weight_table_make(table, frequencies.map { UInt16($0) })
  }

  deinit { table.deallocate() }
}

/// Coded weights that are being read (`B29`, `B80`). Streams may come from anyone.
package struct WeightStream: ~Copyable {
  private let stream = UnsafeMutablePointer<ck_weight_stream>.allocate(capacity: 1)
  private let tier: KernelTier

  /// States that a stream has at most.
  package static let maximumLanes = Int(CK_WEIGHT_LANES)

  /// - Parameter stored: the states of so many lanes, and then words; it outlives the stream.
  /// - Precondition: it holds the states.
  package init(_ stored: UnsafeRawBufferPointer, lanes: Int, tier: KernelTier = .best) {
    precondition((1...WeightStream.maximumLanes).contains(lanes) && stored.count >= 4 * lanes)
    self.tier = tier
    guard let start = stored.bindMemory(to: UInt8.self).baseAddress else { return }
    ck_weight_stream_begin(stream, UInt32(lanes), start, stored.count)
  }

  deinit { stream.deallocate() }

  /// Makes it the first state's turn.
  package mutating func startRound() { stream.pointee.lane = 0 }

  /// Fills `weights` with the next ones, all of one distribution.
  package mutating func decode(_ table: WeightTable, into weights: UnsafeMutableRawBufferPointer) {
    guard let start = weights.bindMemory(to: Int8.self).baseAddress else { return }
    tier.table.decode_weights(stream, table.table, weights.count, start)
  }

  /// Whether every state and every word is used up, and there were enough of them.
  package var hasEnded: Bool { ck_weight_stream_ended(stream) != 0 }
}
