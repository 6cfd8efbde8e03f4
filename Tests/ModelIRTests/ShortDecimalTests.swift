import Testing

@testable import ModelIR

/// Quick ways from decimals to float32 give what the standard library gives.
@Suite struct ShortDecimalTests {
  private func bits(_ text: String) -> UInt32? {
    Array(text.utf8).withUnsafeBufferPointer(ShortDecimal.bits)
  }

  @Test func whatIsGivenIsTheNearestFloat() {
    var random = SystemRandomNumberGenerator()
    var given = 0
    for _ in 0..<20_000 {
      let float = Float(bitPattern: random.next())
      let digits = Int64.random(in: 0..<1_000_000_000_000_000) >> Int64.random(in: 0..<50)
      let texts = ["\(float)", "\(digits)e\(Int.random(in: -50...50))", "-0.\(digits)"]
      for text in texts {
        guard let bits = bits(text) else { continue }
        given += 1
        #expect(bits == Float(text)?.bitPattern, "\(text)")
      }
    }
    #expect(given > 20_000)
  }

  /// Just above and below the middle between two floats, and on it, where two roundings may differ from one.
  @Test(arguments: [
    "1.00000005960464", "1.00000005960465", "16777217", "16777217.0000001", "8388608.5",
    "3.4028235e38", "3.4028236e38", "1.1754944e-38", "1.1754943e-38", "-0", "0.0", "7e22",
  ])
  func bordersAreRoundedOnce(text: String) {
    if let bits = bits(text) { #expect(bits == Float(text)?.bitPattern) }
  }

  @Test(arguments: [
    "", "-", "+1", ".5", "1.", "1e", "1e-", "inf", "0x3f800000", "1.2.3", "1 ", "1e23",
  ])
  func othersAreLeft(text: String) {
    #expect(bits(text) == nil)
  }
}
