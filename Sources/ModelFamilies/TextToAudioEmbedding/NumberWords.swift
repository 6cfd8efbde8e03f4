/// Numbers as they are said.
enum NumberWords {
  private static let small = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen",
  ]
  private static let tens = [
    "", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety",
  ]
  private static let scales: [(value: UInt64, name: String)] = [
    (1_000_000_000_000, "trillion"), (1_000_000_000, "billion"), (1_000_000, "million"),
    (1000, "thousand"), (100, "hundred"),
  ]
  private static let ordinals = [
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth",
    "nine": "ninth", "twelve": "twelfth",
  ]

  static func cardinal(_ number: UInt64) -> [String] {
    if number < 20 { return [small[Int(number)]] }
    if number < 100 {
      let rest = Int(number % 10)
      return [tens[Int(number / 10)]] + (rest == 0 ? [] : [small[rest]])
    }
    for scale in scales where number >= scale.value {
      let rest = number % scale.value
      return cardinal(number / scale.value) + [scale.name] + (rest == 0 ? [] : cardinal(rest))
    }
    return []
  }

  static func ordinal(_ number: UInt64) -> [String] {
    var words = cardinal(number)
    let last = words.removeLast()
    if let known = ordinals[last] { return words + [known] }
    return words + [last.hasSuffix("y") ? last.dropLast() + "ieth" : last + "th"]
  }

  static func digits(_ text: some StringProtocol) -> [String] {
    text.compactMap { $0.wholeNumberValue }.map { small[$0] }
  }

  /// A number as it is written: years in pairs, other whole numbers by their scales, long ones and those
  /// that begin with 0 digit by digit, fractions digit by digit after the point.
  static func spoken(_ text: String) -> [String] {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    let whole = parts[0].filter { $0 != "," }
    let fraction = parts.count > 1 ? ["point"] + digits(parts[1]) : []
    if whole.count > 15 || (whole.count > 1 && whole.hasPrefix("0")) {
      return digits(whole) + fraction
    }
    guard let value = UInt64(whole) else { return fraction }
    if parts.count == 1, parts[0].count == 4, (1100...1999).contains(value) {
      let rest = value % 100
      if rest == 0 { return cardinal(value / 100) + ["hundred"] }
      return cardinal(value / 100) + (rest < 10 ? ["oh"] : []) + cardinal(rest)
    }
    return cardinal(value) + fraction
  }
}
