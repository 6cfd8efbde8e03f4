import Foundation
import TensorCore

/// A text as it is said: words and pauses, with nothing left that only the eye reads.
struct SpokenText {
  enum Token: Equatable {
    /// In lower case: letters and apostrophes.
    case word(String)
    /// Letters said one by one.
    case spelled(String)
    case pause
  }

  /// Characters that a text may have.
  static let maximumCount = 20_000

  let tokens: [Token]
  /// Characters that nobody can say.
  let unspoken: Set<Character>

  private static let abbreviations = [
    "mr": "mister", "mrs": "missus", "ms": "miz", "dr": "doctor", "prof": "professor",
    "st": "saint", "jr": "junior", "sr": "senior", "vs": "versus", "etc": "et cetera",
    "approx": "approximately", "dept": "department", "mt": "mount", "capt": "captain",
    "col": "colonel", "gen": "general", "sgt": "sergeant", "rev": "reverend", "hon": "honorable",
    "e.g": "for example", "i.e": "that is", "a.m": "a m", "p.m": "p m",
  ]
  private static let symbols: [Character: String] = [
    "%": "percent", "&": "and", "+": "plus", "=": "equals", "@": "at", "°": "degrees",
    "£": "pounds", "€": "euros", "$": "dollars",
  ]
  private static let pauses: Set<Character> = [
    ",", ";", ":", ".", "!", "?", "(", ")", "…", "—", "–",
  ]
  private static let silent: Set<Character> = ["\"", "“", "”", "-", "_", "*", "/", "‘", "[", "]"]

  /// - Throws: `limit-exceeded` for a text that is too long, `invalid-value` where nothing can be said.
  init(_ text: String) throws(ModelError) {
    guard text.count <= SpokenText.maximumCount else {
      throw ModelError(
        .limitExceeded,
        "a text of \(text.count) characters; \(SpokenText.maximumCount) are read at once")
    }
    var reader = Reader(Array(text.decomposedStringWithCanonicalMapping))
    while reader.step() {}
    var tokens: [Token] = []
    for token in reader.tokens where token != .pause || (tokens.last ?? .pause) != .pause {
      tokens.append(token)
    }
    if tokens.last == .pause { tokens.removeLast() }
    guard !tokens.isEmpty else {
      throw ModelError(.invalidValue, "the text has no word that can be said")
    }
    self.tokens = tokens
    unspoken = reader.unspoken
  }

  /// Walks over the characters of a text.
  private struct Reader {
    let text: [Character]
    var place = 0
    var tokens: [Token] = []
    var unspoken: Set<Character> = []

    init(_ text: [Character]) { self.text = text }

    /// The letter under accents; nil where there is none.
    private func letter(_ index: Int) -> Character? {
      guard index < text.count, let base = text[index].unicodeScalars.first else { return nil }
      let plain = Character(base)
      return plain.isASCII && plain.isLetter ? plain : nil
    }

    private func digit(_ index: Int) -> Bool {
      index < text.count && text[index].isASCII && text[index].isNumber
    }

    mutating func step() -> Bool {
      guard place < text.count else { return false }
      let character = text[place]
      if letter(place) != nil {
        readWord()
      } else if digit(place) {
        readNumber(currency: nil)
      } else if "$£€".contains(character), digit(place + 1) {
        place += 1
        readNumber(currency: SpokenText.symbols[character])
      } else {
        place += 1
        if SpokenText.pauses.contains(character) {
          tokens.append(.pause)
        } else if let word = SpokenText.symbols[character] {
          tokens.append(.word(word))
        } else if !character.isWhitespace && !SpokenText.silent.contains(character)
          && character != "'" && character != "’"
        {
          unspoken.insert(character)
        }
      }
      return true
    }

    private mutating func readWord() {
      var word = ""
      var capitals = true
      while place < text.count {
        if let letter = letter(place) {
          capitals = capitals && letter.isUppercase
          word.append(letter)
        } else if ["'", "’"].contains(text[place]), letter(place + 1) != nil {
          word.append("'")
        } else if text[place] == ".", word.count <= 3, letter(place + 1) != nil,
          place + 2 >= text.count || letter(place + 2) == nil
        {
          word.append(".")
        } else {
          break
        }
        place += 1
      }
      let key = word.lowercased()
      if place < text.count, text[place] == ".", let full = SpokenText.abbreviations[key] {
        place += 1
        tokens += full.split(separator: " ").map { .word(String($0)) }
      } else if key.contains(".") || capitals && word.count > 1 && word.count <= 5 {
        if key.contains("."), place < text.count, text[place] == "." { place += 1 }
        tokens.append(.spelled(key.filter { $0.isLetter }))
      } else {
        tokens.append(.word(key))
      }
    }

    private mutating func readNumber(currency: String?) {
      var number = ""
      while place < text.count {
        let isInside = [",", "."].contains(text[place]) && digit(place + 1)
        guard digit(place) || isInside && !(text[place] == "." && number.contains(".")) else {
          break
        }
        number.append(text[place])
        place += 1
      }
      let ending = String((0..<2).compactMap { letter(place + $0) }).lowercased()
      if ["st", "nd", "rd", "th"].contains(ending), letter(place + 2) == nil, currency == nil,
        let value = UInt64(number.filter { $0 != "," })
      {
        place += 2
        append(NumberWords.ordinal(value))
        return
      }
      append(NumberWords.spoken(number))
      if let currency { append([number == "1" ? String(currency.dropLast()) : currency]) }
      if place + 1 < text.count, text[place] == ":", digit(place + 1) { place += 1 }
    }

    private mutating func append(_ words: [String]) { tokens += words.map { .word($0) } }
  }
}
