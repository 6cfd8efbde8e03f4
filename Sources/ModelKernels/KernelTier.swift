import CKernels

/// One instruction-set tier of the kernels: a table of functions. Results never depend on it.
package struct KernelTier: Sendable {
  let table: ck_kernels
  /// `scalar`, `avx2`, `avx512vnni` or `neondot`.
  package let name: String

  private init(_ table: ck_kernels) {
    self.table = table
    name = String(cString: table.name)
  }

  /// The widest tier that this CPU runs.
  package static let best = KernelTier(ck_kernels_best().pointee)

  /// Every tier that this CPU runs, widest first.
  package static let available = [ck_isa.avx512vnni, .neondot, .avx2, .scalar]
    .compactMap { ck_kernels_for($0).map { KernelTier($0.pointee) } }
}

extension KernelTier: CustomStringConvertible {
  package var description: String { name }
}
