import CKernels

/// One instruction-set tier of the kernels: a table of functions. Results never depend on it.
package struct KernelTier: Sendable {
  /// Never changes and is never freed.
  private nonisolated(unsafe) let kernels: UnsafePointer<ck_kernels>
  var table: ck_kernels { kernels.pointee }
  /// `scalar`, `avx2`, `avxvnni`, `avx512vnni` or `neondot`.
  package let name: String

  private init(_ kernels: UnsafePointer<ck_kernels>) {
    self.kernels = kernels
    name = String(cString: kernels.pointee.name)
  }

  /// The widest tier that this CPU runs.
  package static let best = KernelTier(ck_kernels_best())

  /// Every tier that this CPU runs, widest first.
  package static let available = [ck_isa.avx512vnni, .neondot, .avxvnni, .avx2, .scalar]
    .compactMap { ck_kernels_for($0).map { KernelTier($0) } }
}

extension KernelTier: CustomStringConvertible {
  package var description: String { name }
}
