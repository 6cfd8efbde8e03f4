import TensorCore

/// How words are said: lines of a word and its phones, as in the CMU dictionary.
package struct Lexicon: Sendable {
  /// Words and letters that one word may have, and words altogether.
  static let maximumLine = 400
  static let maximumWords = 1 << 20

  private let entries: [String: [String]]

  package static let empty = Lexicon(entries: [:])

  private init(entries: [String: [String]]) { self.entries = entries }

  /// Reads lines. Comments start with `;;;` or `#`, further ways to say a word, `WORD(2)`, are left out.
  ///
  /// - Throws: `malformed-input` for a word without phones or with one that `phones` lacks, naming the line.
  package init(_ lines: [String], phones: PhoneTable) throws(ModelError) {
    guard lines.count <= Lexicon.maximumWords else {
      throw ModelError(
        .limitExceeded, "a lexicon of \(lines.count) lines; \(Lexicon.maximumWords) at most")
    }
    var entries: [String: [String]] = [:]
    for (index, line) in lines.enumerated() {
      let text = line.prefix { $0 != "#" }
      guard !text.hasPrefix(";;;") else { continue }
      let parts = text.split(whereSeparator: \.isWhitespace).map(String.init)
      guard let word = parts.first else { continue }
      guard parts.count > 1, text.utf8.count <= Lexicon.maximumLine else {
        throw ModelError(.malformedInput, "line \(index + 1) of the lexicon has no phones")
      }
      for phone in parts.dropFirst() where phones.number(of: phone) == nil {
        throw ModelError(
          .malformedInput, "line \(index + 1) of the lexicon has '\(phone)', which is no phone")
      }
      guard !word.hasSuffix(")") || !word.contains("(") else { continue }
      let key = word.lowercased()
      if entries[key] == nil { entries[key] = Array(parts.dropFirst()) }
    }
    self.entries = entries
  }

  package var count: Int { entries.count }

  /// The phones of a word in lower case.
  package subscript(word: String) -> [String]? { entries[word] }
}
