import TensorCore

/// A text as phones: from the lexicon, by name for what is spelled, else by a guess; `sp` at pauses and `sil` at
/// both ends.
package struct SpokenPhones: Sendable {
  /// A word or a pause with its phones.
  package struct Piece: Sendable {
    package let text: String
    package let phones: [String]
    /// Whether the lexicon has it.
    package let isKnown: Bool
  }

  package let pieces: [Piece]
  /// Characters that nobody can say.
  package let unspoken: [Character]

  /// - Throws: what an unspeakable text throws.
  package init(_ text: String, _ lexicon: Lexicon) throws(ModelError) {
    let spoken = try SpokenText(text)
    pieces = spoken.tokens.map { token in
      switch token {
      case .pause: return Piece(text: ",", phones: [PhoneTable.pause], isKnown: true)
      case .spelled(let letters):
        if letters.count > 3, let known = lexicon[letters] {
          return Piece(text: letters, phones: known, isKnown: true)
        }
        return Piece(text: letters, phones: LetterToSound.spelled(letters), isKnown: true)
      case .word(let word):
        if let known = lexicon[word] { return Piece(text: word, phones: known, isKnown: true) }
        if word.hasSuffix("'s"), let known = lexicon[String(word.dropLast(2))] {
          return Piece(text: word, phones: known + ["Z"], isKnown: true)
        }
        return Piece(text: word, phones: LetterToSound.phones(word), isKnown: false)
      }
    }
    unspoken = spoken.unspoken.sorted()
  }

  /// Words whose pronunciation was guessed.
  package var guessed: [String] { pieces.filter { !$0.isKnown }.map(\.text) }

  /// Utterances of at most `limit` phones, silent at both ends: the whole text where it fits, else cut at
  /// pauses, else between words.
  package func utterances(limit: Int) throws(ModelError) -> [[String]] {
    var utterances: [[String]] = []
    var open: [[String]] = []
    func length(_ pieces: [[String]]) -> Int { 2 + pieces.reduce(0) { $0 + $1.count } }
    func close(_ pieces: [[String]]) {
      var pieces = pieces
      while pieces.last == [PhoneTable.pause] { pieces.removeLast() }
      while pieces.first == [PhoneTable.pause] { pieces.removeFirst() }
      guard !pieces.isEmpty else { return }
      utterances.append([PhoneTable.silence] + pieces.flatMap { $0 } + [PhoneTable.silence])
    }
    for piece in pieces {
      guard piece.phones.count + 2 <= limit else {
        throw ModelError(
          .limitExceeded,
          "'\(piece.text)' has \(piece.phones.count) phones; the model takes \(limit - 2) at once")
      }
      open.append(piece.phones)
      guard length(open) > limit else { continue }
      let cut = open.lastIndex(of: [PhoneTable.pause]).map { $0 + 1 } ?? open.count - 1
      let end = cut >= open.count || cut == 0 ? open.count - 1 : cut
      close(Array(open[..<end]))
      open.removeFirst(end)
    }
    close(open)
    return utterances
  }
}
