import TensorCore

/// The phones that a text-driven model knows, by their numbers: ARPAbet with and without stress, silences, and what
/// pads and what is unknown.
package struct PhoneTable: Sendable {
  /// A phone's number is its place.
  package let names: [String]
  private let numbers: [String: Int]

  static let vowels = [
    "AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW",
  ]
  static let consonants = [
    "B", "CH", "D", "DH", "F", "G", "HH", "JH", "K", "L", "M", "N", "NG", "P", "R", "S", "SH",
    "T", "TH", "V", "W", "Y", "Z", "ZH",
  ]
  package static let pad = "_"
  package static let silence = "sil"
  package static let pause = "sp"
  package static let unknown = "unk"

  /// 84 ARPAbet entries in alphabetical order between the padding and `sil`, `sp`, `spn`, `unk`; a vocabulary
  /// of 90 leaves one number spare.
  package static let usual = PhoneTable(
    unchecked: [pad]
      + (consonants + vowels.flatMap { vowel in ["", "0", "1", "2"].map { vowel + $0 } }).sorted()
      + [silence, pause, "spn", unknown])

  private init(unchecked names: [String]) {
    self.names = names
    numbers = Dictionary(
      names.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
  }

  /// A table that came with a model.
  ///
  /// - Throws: `invalid-value` where names repeat or a silence is missing.
  package init(_ names: [String]) throws(ModelError) {
    self.init(unchecked: names)
    guard numbers.count == names.count, names.count <= 1 << 16 else {
      throw ModelError(.invalidValue, "two phones of the table have one name")
    }
    for needed in [PhoneTable.silence, PhoneTable.pause] where numbers[needed] == nil {
      throw ModelError(.invalidValue, "the table of phones lacks '\(needed)'")
    }
  }

  package func number(of phone: String) -> Int? { numbers[phone] }

  /// The phones of `text`, separated by spaces.
  ///
  /// - Throws: `invalid-value` for one that the table lacks.
  package func numbers(of phones: [String]) throws(ModelError) -> [Int] {
    var result: [Int] = []
    for phone in phones {
      guard let number = numbers[phone] else {
        throw ModelError(.invalidValue, "'\(phone)' is no phone of the model")
      }
      result.append(number)
    }
    return result
  }

  static func isVowel(_ phone: String) -> Bool {
    vowels.contains(String(phone.prefix { $0.isLetter }))
  }
}
