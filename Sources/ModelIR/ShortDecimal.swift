/// Decimals that become float32 by one division or multiplication that rounds once: most of those that are written.
enum ShortDecimal {
  /// Powers of ten that float64 has exactly.
  private static let powers: [Double] = (0...22).map { exponent in
    (0..<exponent).reduce(1) { power, _ in power * 10 }
  }

  /// The bits of the float32 nearest to a decimal such as `-1.5e-3`; nil where the way here is not surely exact, or the text is
  /// none.
  ///
  /// Digits make a whole number below 2⁵³ and the power of ten is exact, so that the quotient or product is the decimal rounded
  /// once to float64. Rounded again it is the nearest float32 unless it lies on the border between two.
  static func bits(_ text: UnsafeBufferPointer<UInt8>) -> UInt32? {
    var index = 0
    func at(_ character: Unicode.Scalar) -> Bool {
      index < text.count && text[index] == UInt8(ascii: character)
    }
    let isNegative = at("-")
    if isNegative { index += 1 }
    var (digits, count, fraction) = (0, 0, 0)
    var isFraction = false
    while index < text.count {
      if GraphText.isDigit(text[index]) {
        digits = digits &* 10 &+ Int(text[index] &- UInt8(ascii: "0"))
        count += 1
        fraction += isFraction ? 1 : 0
      } else if at("."), !isFraction, count > 0 {
        isFraction = true
      } else {
        break
      }
      index += 1
    }
    guard (1...15).contains(count), !isFraction || fraction > 0 else { return nil }
    var exponent = -fraction
    if at("e") {
      index += 1
      let isBelow = at("-")
      if isBelow || at("+") { index += 1 }
      let first = index
      var written = 0
      while index < text.count, index - first < 3, GraphText.isDigit(text[index]) {
        written = written * 10 + Int(text[index] - UInt8(ascii: "0"))
        index += 1
      }
      guard index > first else { return nil }
      exponent += isBelow ? -written : written
    }
    guard index == text.count, powers.indices.contains(abs(exponent)) else { return nil }
    let whole = Double(digits)
    let value = exponent < 0 ? whole / powers[-exponent] : whole * powers[exponent]
    let isOnBorder = value.bitPattern & 0x1FFF_FFFF == 0x1000_0000
    guard !isOnBorder, value == 0 || value >= Double(Float.leastNormalMagnitude),
      value <= Double(Float.greatestFiniteMagnitude)
    else { return nil }
    return Float(isNegative ? -value : value).bitPattern
  }
}
