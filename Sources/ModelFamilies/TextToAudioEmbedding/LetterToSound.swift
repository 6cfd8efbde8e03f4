/// A guess at how an English word is said that no lexicon has: spellings of one to four letters from left to right,
/// the longest first.
enum LetterToSound {
  /// Where a spelling has to stand.
  private enum Place {
    case anywhere, first, last
    /// Before a consonant and a final e, which lengthens a vowel and is silent itself.
    case long
    /// Before e, i or y.
    case soft
  }

  private struct Rule {
    let letters: [Character]
    let place: Place
    let phones: [String]

    init(_ letters: String, _ phones: String, _ place: Place = .anywhere) {
      self.letters = Array(letters)
      self.place = place
      self.phones = phones.split(separator: " ").map(String.init)
    }
  }

  private static let rules: [Rule] =
    [
      Rule("tion", "SH AH N"), Rule("sion", "ZH AH N"), Rule("ture", "CH ER"),
      Rule("ough", "AO"), Rule("augh", "AO"), Rule("eigh", "EY"), Rule("ight", "AY T"),
      Rule("ious", "IY AH S"), Rule("cial", "SH AH L"), Rule("tial", "SH AH L"),
      Rule("igh", "AY"), Rule("tch", "CH"), Rule("dge", "JH"), Rule("sch", "S K", .first),
      Rule("eau", "OW"), Rule("air", "EH R"), Rule("ear", "IH R"), Rule("eer", "IH R"),
      Rule("our", "AO R"), Rule("oor", "AO R"), Rule("ous", "AH S", .last),
      Rule("ing", "IH NG", .last),
      Rule("all", "AO L"), Rule("alk", "AO K"), Rule("wor", "W ER"), Rule("war", "W AO R"),
      Rule("qu", "K W"), Rule("ch", "CH"), Rule("sh", "SH"), Rule("th", "TH"), Rule("ph", "F"),
      Rule("gh", ""), Rule("ck", "K"), Rule("ng", "NG", .last), Rule("nk", "NG K"),
      Rule("wh", "W"), Rule("wr", "R", .first), Rule("kn", "N", .first), Rule("gn", "N", .first),
      Rule("ps", "S", .first), Rule("mb", "M", .last), Rule("sc", "S", .soft),
      Rule("ee", "IY"), Rule("ea", "IY"), Rule("oo", "UW"), Rule("ou", "AW"),
      Rule("ow", "OW", .last),
      Rule("ow", "AW"), Rule("oa", "OW"), Rule("oi", "OY"), Rule("oy", "OY"), Rule("ai", "EY"),
      Rule("ay", "EY"), Rule("au", "AO"), Rule("aw", "AO"), Rule("ew", "UW"), Rule("eu", "Y UW"),
      Rule("ei", "EY"), Rule("ey", "IY", .last), Rule("ie", "IY"), Rule("ue", "UW", .last),
      Rule("ui", "UW"), Rule("ar", "AA R"), Rule("er", "ER"), Rule("ir", "ER"), Rule("or", "AO R"),
      Rule("ur", "ER"), Rule("le", "AH L", .last), Rule("es", "Z", .last), Rule("ed", "D", .last),
      Rule("bb", "B"), Rule("cc", "K"), Rule("dd", "D"), Rule("ff", "F"), Rule("gg", "G"),
      Rule("ll", "L"), Rule("mm", "M"), Rule("nn", "N"), Rule("pp", "P"), Rule("rr", "R"),
      Rule("ss", "S"), Rule("tt", "T"), Rule("zz", "Z"),
      Rule("a", "EY", .long), Rule("e", "IY", .long), Rule("i", "AY", .long),
      Rule("o", "OW", .long),
      Rule("u", "UW", .long), Rule("a", "AH", .last), Rule("e", "", .last), Rule("i", "IY", .last),
      Rule("o", "OW", .last), Rule("u", "UW", .last), Rule("y", "Y", .first),
      Rule("y", "IY", .last),
      Rule("c", "S", .soft), Rule("g", "JH", .soft), Rule("x", "Z", .first),
      Rule("a", "AE"), Rule("b", "B"), Rule("c", "K"), Rule("d", "D"), Rule("e", "EH"),
      Rule("f", "F"), Rule("g", "G"), Rule("h", "HH"), Rule("i", "IH"), Rule("j", "JH"),
      Rule("k", "K"), Rule("l", "L"), Rule("m", "M"), Rule("n", "N"), Rule("o", "AA"),
      Rule("p", "P"), Rule("q", "K"), Rule("r", "R"), Rule("s", "S"), Rule("t", "T"),
      Rule("u", "AH"), Rule("v", "V"), Rule("w", "W"), Rule("x", "K S"), Rule("y", "IH"),
      Rule("z", "Z"),
    ]

  private static let names: [Character: String] = [
    "a": "EY1", "b": "B IY1", "c": "S IY1", "d": "D IY1", "e": "IY1", "f": "EH1 F",
    "g": "JH IY1", "h": "EY1 CH", "i": "AY1", "j": "JH EY1", "k": "K EY1", "l": "EH1 L",
    "m": "EH1 M", "n": "EH1 N", "o": "OW1", "p": "P IY1", "q": "K Y UW1", "r": "AA1 R",
    "s": "EH1 S", "t": "T IY1", "u": "Y UW1", "v": "V IY1", "w": "D AH1 B AH0 L Y UW0",
    "x": "EH1 K S", "y": "W AY1", "z": "Z IY1",
  ]

  /// Phones of a word in lower case; its first vowel is stressed.
  static func phones(_ word: String) -> [String] {
    let letters = word.filter { $0.isLetter && $0.isASCII }.map { $0 }
    var phones: [String] = []
    var place = 0
    while place < letters.count {
      guard
        let rule = rules.first(where: { matches($0, letters, place) })
      else {
        place += 1
        continue
      }
      phones += rule.phones
      place += rule.letters.count
    }
    // A word without a vowel is said all the same.
    if !phones.contains(where: PhoneTable.isVowel) { phones.append("AH") }
    var isFirst = true
    return phones.map { phone in
      guard PhoneTable.isVowel(phone) else { return phone }
      defer { isFirst = false }
      return phone + (isFirst ? "1" : "0")
    }
  }

  /// The names of letters.
  static func spelled(_ letters: String) -> [String] {
    letters.flatMap { (names[$0] ?? "").split(separator: " ").map(String.init) }
  }

  private static func matches(_ rule: Rule, _ letters: [Character], _ place: Int) -> Bool {
    let end = place + rule.letters.count
    guard end <= letters.count, Array(letters[place..<end]) == rule.letters else { return false }
    switch rule.place {
    case .anywhere: return true
    case .first: return place == 0
    case .last: return end == letters.count && place > 0
    case .soft: return end < letters.count && "eiy".contains(letters[end])
    case .long:
      return end + 2 == letters.count && letters[end + 1] == "e"
        && !"aeiouwxy".contains(letters[end])
    }
  }
}
