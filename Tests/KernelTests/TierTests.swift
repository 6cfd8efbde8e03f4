import ModelKernels
import Testing

@Suite struct TierTests {
  /// The list that ran, so that a fallback cannot pass for the real thing.
  @Test func everyTierOfThisProcessorRuns() {
    let names = KernelTier.available.map(\.name)
    print("kernel tiers: \(names.joined(separator: " "))")
    #expect(names.last == "scalar")
    #expect(KernelTier.best.name == names.first)
    #expect(Set(names).count == names.count)
    #if arch(x86_64)
      #expect(names.contains("avx512vnni") == processorHas("avx512_vnni"))
      #expect(names.contains("avxvnni") == processorHas("avx_vnni"))
      #expect(names.contains("avx2") == processorHas("avx2"))
    #endif
  }
}
