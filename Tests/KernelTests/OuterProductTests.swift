import ModelKernels
import Testing

@Suite struct OuterProductTests {
  /// Sums in the order of p, products rounded first, on every tier; fused ones differ by rounding only.
  @Test(arguments: KernelTier.available) func sumsFollowTheFormula(tier: KernelTier) {
    var samples = Samples(11)
    for (count, few, many) in [
      (0, 3, 4), (1, 1, 1), (5, 3, 17), (33, 12, 32), (40, 13, 33), (7, 32, 3), (64, 25, 70),
    ] {
      let block = KernelTier.outerBlock
      let pitch = (many + block - 1) / block * block
      let (aStep, bStep) = (few + 2, many + 1)
      let a = KernelMemory(samples.floats(max(1, count) * aStep, -1...1))
      let b = KernelMemory(samples.floats(max(1, count) * bStep + block, -1...1))
      let start = samples.floats(few * pitch, -1...1)
      let (p, q) = (a.elements(of: Float.self), b.elements(of: Float.self))
      for isFused in [false, true] {
        var sums = start
        tier.addOuterProducts(
          count: count, p, aStep: aStep, aCount: few, q, bStep: bStep, bCount: many, to: &sums,
          pitch: pitch, isFused: isFused)
        for i in 0..<few {
          for j in 0..<many {
            var sum = start[i * pitch + j]
            for k in 0..<count {
              let product = p[k * aStep + i] * q[k * bStep + j]
              sum = sum + product
            }
            let made = sums[i * pitch + j]
            #expect(isFused ? abs(made - sum) <= 1e-5 : made == sum)
          }
        }
      }
      withExtendedLifetime((a, b)) {}
    }
  }
}
