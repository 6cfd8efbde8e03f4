import Foundation
import MediaIO
import ModelFamilies
import ModelIR
import ModelOperators
import OnnxFormat
import TensorCore
import Testing

@Suite struct TextToAudioEmbeddingTests {
  static let family = "text-to-audio-embedding"

  @Test(arguments: ["d1", "d2", "d3"])
  func partsHaveTheirRoles(dialect: String) throws {
    var graphs = try ["encoder", "refine", "speaker", "base"].map {
      (name: $0, graph: try Tiny.graph(Self.family, $0, dialect))
    }
    graphs.append(("audio", try Tiny.graph("context-aware-lip-sync", "phones", dialect)))
    let model = try #require(FamilyModel(graphs))
    #expect(model.family.name == Self.family)
    #expect(model.parts.map(\.role) == ["encoder", "refine", "speaker", "base", "audio"])
    #expect(model.links.map(\.rule) == ["same", "repeat-by-duration", "frame-by-frame"])
    let encoder = try #require(model.part("encoder"))
    #expect(encoder.trait("vocabulary") == "90")
    #expect(encoder.trait("width") == "8")
    #expect(encoder.trait("heads") == "2")
    #expect(encoder.trait("layers") == "2")
    #expect(encoder.trait("hidden-width") == "12")
    #expect(encoder.trait("speaker-width") == "6")
    #expect(encoder.trait("positions") == "24")
    #expect(model.part("refine")?.trait("feature-width") == "8")
    #expect(model.part("speaker")?.trait("face-size") == "56")
    #expect(model.part("base")?.trait("memory-slots") == "96")
    #expect(model.part("audio")?.trait("feature-width") == "8")
  }

  @Test(arguments: ["d1", "d3"])
  func aBaseMayBeOfAnotherKind(dialect: String) throws {
    let model = try #require(
      FamilyModel([
        (name: "text", graph: try Tiny.graph(Self.family, "encoder", dialect)),
        (name: "face", graph: try Tiny.graph(Self.family, "base-wav2lip", dialect)),
      ]))
    #expect(model.part("base")?.trait("colours") == "sigmoid")
    #expect(model.part("base")?.trait("memory-slots") == nil)
  }

  @Test(arguments: ["d1", "d3"])
  func aBaseMayBeContextAware(dialect: String) throws {
    let context = "context-aware-lip-sync"
    let model = try #require(
      FamilyModel([
        (name: "encoder", graph: try Tiny.graph(Self.family, "encoder", dialect)),
        (name: "refine", graph: try Tiny.graph(Self.family, "refine", dialect)),
        (name: "audio", graph: try Tiny.graph(context, "phones", dialect)),
        (name: "context", graph: try Tiny.graph(context, "context", dialect)),
        (name: "face", graph: try Tiny.graph(context, "face", dialect)),
      ]))
    #expect(model.family.name == Self.family)
    #expect(model.parts.map(\.role) == ["encoder", "refine", "audio", "context", "base"])
    #expect(model.part("context")?.trait("windows") == "5")
    #expect(
      model.links.map { "\($0.from.part) \($0.rule) \($0.to.part)" } == [
        "encoder repeat-by-duration refine", "refine neighbours context",
        "context middle-unit face",
      ])
    #expect(model.family.agreements(try #require(model.part("context"))).count == 1)
  }

  @Test(arguments: ["Softmax", "Conv", "Gather"])
  func anEncoderThatLacksAPartIsNone(kind: String) throws {
    let whole = try Tiny.graph(Self.family, "encoder", "d3")
    #expect(FamilyModel(whole)?.parts[0].role == "encoder")
    #expect(FamilyModel(try whole.cut(kind)) == nil)
  }

  @Test(arguments: ["MaxPool", "Conv", "Div"])
  func aSpeakerEncoderThatLacksAPartIsNone(kind: String) throws {
    let encoder = try Tiny.graph(Self.family, "encoder", "d1")
    let speaker = try Tiny.graph(Self.family, "speaker", "d1")
    #expect(FamilyModel([("a", encoder), ("b", speaker)])?.part("speaker") != nil)
    #expect(FamilyModel([("a", encoder), ("b", try speaker.cut(kind))]) == nil)
    // A residual network with a norm may be anything by itself.
    #expect(FamilyModel(speaker) == nil)
  }

  @Test func nearMissesSayWhatIsMissing() throws {
    let whole = try Tiny.graph(Self.family, "encoder", "d3")
    #expect(ModelFamily.textToAudioEmbedding.nearMiss(whole).isEmpty)
    let reasons = ModelFamily.textToAudioEmbedding.nearMiss(try whole.cut("Softmax"))
    #expect(!reasons.isEmpty)
    #expect(ModelFamily.textToAudioEmbedding.nearMiss(Graph()).isEmpty)
  }

  // MARK: - Text

  @Test func theTableHasNinetyNumbersAtMost() {
    let table = PhoneTable.usual
    #expect(table.names.count == 89)
    #expect(table.names[0] == "_")
    #expect(table.number(of: "AA") == 1)
    #expect(table.number(of: "ZH") == 84)
    #expect(table.number(of: "sil") == 85)
    #expect(table.number(of: "XX") == nil)
    #expect(throws: ModelError.self) { try PhoneTable(["sil", "sp", "sil"]) }
    #expect(throws: ModelError.self) { try PhoneTable(["a", "b"]) }
  }

  private func words(_ text: String) throws -> [String] {
    try SpokenPhones(text, .empty).pieces.map(\.text)
  }

  @Test(arguments: [
    ("I have 27 cats.", "i have twenty seven cats"),
    ("It cost $1,205.50!", "it cost one thousand two hundred five point five zero dollars"),
    ("in 1984, 1905 and 1900", "in nineteen eighty four , nineteen oh five and nineteen hundred"),
    ("the 3rd, 12th and 20th", "the third , twelfth and twentieth"),
    ("Dr. Smith & Mrs. Lee", "doctor smith and missus lee"),
    ("50% of 007", "fifty percent of zero zero seven"),
    ("the KAIST and the U.S. teams", "the kaist and the us teams"),
    ("don’t café naïve", "don't cafe naive"),
    ("wait… what?!  ok", "wait , what , ok"),
    ("at 3:45 p.m. sharp", "at three forty five p m sharp"),
    ("one-way (street)", "one way , street"),
    ("1,000,000 or 2000", "one million or two thousand"),
  ])
  func textsAreSaid(text: String, said: String) throws {
    #expect(try words(text).joined(separator: " ") == said)
  }

  @Test(arguments: ["", "   ", "…", "漢字", "!?"])
  func textsWithNothingToSayAreRefused(text: String) {
    let error = #expect(throws: ModelError.self) { try SpokenPhones(text, .empty) }
    #expect(error?.code == .invalidValue)
  }

  @Test func whatCannotBeSaidIsNamed() throws {
    #expect(try SpokenPhones("hello 漢 there", .empty).unspoken == ["漢"])
    let long = String(repeating: "a ", count: 20_001)
    #expect(throws: ModelError.self) { try SpokenPhones(long, .empty) }
  }

  @Test func theLexiconComesFirst() throws {
    let lexicon = try Lexicon(
      [";;; comment", "HELLO  HH AH0 L OW1", "HELLO(2)  HH EH0 L OW1", "cat K AE1 T # noun", ""],
      phones: .usual)
    #expect(lexicon.count == 2)
    let spoken = try SpokenPhones("Hello cat's hat", lexicon)
    #expect(spoken.pieces[0].phones == ["HH", "AH0", "L", "OW1"])
    #expect(spoken.pieces[1].phones == ["K", "AE1", "T", "Z"])
    #expect(spoken.pieces[2].phones == ["HH", "AE1", "T"])
    #expect(spoken.guessed == ["hat"])
  }

  @Test(arguments: ["word", "word QQ", "word AH0 L oops"])
  func brokenLexiconsAreRefused(line: String) {
    let error = #expect(throws: ModelError.self) {
      try Lexicon(["cat K AE1 T", line], phones: .usual)
    }
    #expect(error?.code == .malformedInput)
    #expect(error.map { "\($0)".contains("2") } ?? false)
  }

  @Test(arguments: [
    ("make", "M EY1 K"), ("ship", "SH IH1 P"), ("city", "S IH1 T IY0"),
    ("night", "N AY1 T"), ("station", "S T AE1 SH AH0 N"), ("hmm", "HH M AH1"),
    ("queen", "K W IY1 N"), ("phone", "F OW1 N"),
  ])
  func unknownWordsAreSpelledOut(word: String, phones: String) throws {
    let spoken = try SpokenPhones(word, .empty)
    #expect(spoken.pieces[0].phones.joined(separator: " ") == phones)
  }

  @Test func everyGuessIsOfTheTable() throws {
    for word in ["zxqj", "rhythm", "aeiou", "through", "knight", "psychology", "o'clock", "aaa"] {
      for phone in try SpokenPhones(word, .empty).pieces.flatMap(\.phones) {
        #expect(PhoneTable.usual.number(of: phone) != nil, "\(phone) of \(word)")
      }
    }
  }

  @Test func longTextsAreCutAtPauses() throws {
    let spoken = try SpokenPhones("cat cat, cat cat cat cat, cat", .empty)
    let whole = try spoken.utterances(limit: 100)
    #expect(whole.count == 1)
    #expect(whole[0].first == "sil" && whole[0].last == "sil")
    #expect(whole[0].filter { $0 == "sp" }.count == 2)
    let cut = try spoken.utterances(limit: 12)
    #expect(cut.allSatisfy { $0.count <= 12 && $0.first == "sil" && $0.last == "sil" })
    #expect(cut.map { $0.filter { $0 == "AE1" }.count }.reduce(0, +) == 7)
    #expect(throws: ModelError.self) { try spoken.utterances(limit: 4) }
  }

  // MARK: - Durations

  @Test func durationsRoundWithoutDrift() throws {
    // 1.4 frames each: 1, 3, 4, 6, 7 frames after each phone.
    let logarithm = Float(2.4).logarithm
    let frames = try PhoneDurations.frames([Float](repeating: logarithm, count: 5))
    #expect(frames == [1, 2, 1, 2, 1])
    #expect(try PhoneDurations.frames([0, -3, logarithm]) == [0, 0, 1])
    #expect(
      try PhoneDurations.frames([Float](repeating: logarithm, count: 5), stretch: 2)
        == [3, 3, 2, 3, 3])
    #expect(throws: ModelError.self) { try PhoneDurations.frames([.nan]) }
    #expect(throws: ModelError.self) { try PhoneDurations.frames([200]) }
  }

  @Test func framesShowTheirPhones() {
    #expect(PhoneDurations.phoneOfFrame([2, 0, 3]) == [0, 0, 2, 2, 2])
    #expect(PhoneDurations.phoneOfFrame([]).isEmpty)
  }

  @Test func givenDurationsAreChecked() throws {
    #expect(try PhoneDurations.parse("1, 2 3", phones: 3) == [1, 2, 3])
    for text in ["1,2", "1,2,x", "1,2,-3", "0,0,0"] {
      #expect(throws: ModelError.self) { try PhoneDurations.parse(text, phones: 3) }
    }
  }
}

extension Float {
  fileprivate var logarithm: Float { Float(log(Double(self))) }
}
