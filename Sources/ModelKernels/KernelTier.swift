/// One instruction-set tier of the kernels. Results never depend on it.
package struct KernelTier: Sendable {
  package let name: String
  /// The widest tier that this CPU runs.
  package static let best = KernelTier(name: "scalar")
  /// Every tier that this CPU runs, widest first.
  package static let available = [best]
}
