/// Why a layer reads 16 bits (`Q59`).
package enum WideReason: String, Sendable, Codable, CaseIterable {
  /// On request, or by a plan.
  case asked
  /// Most softmax weights are smaller than one step of eight bits.
  case shares
  /// It leads to a memory's address (`Q72`).
  case address
  /// It takes most noise off for what it costs (`Q65`).
  case noise

  /// What layers of which this is said do.
  package var text: String {
    switch self {
    case .asked: "as asked or planned"
    case .shares: "read softmax weights"
    case .address: "lead to a memory, whose near ties a little noise turns"
    case .noise: "take most noise off for what it costs"
    }
  }
}
