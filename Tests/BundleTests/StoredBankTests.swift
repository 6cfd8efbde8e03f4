import ModelBundle
import ModelIR
import TensorCore
import Testing

@Suite struct StoredBankTests {
  @Test(arguments: [ElementType.int8, .int16])
  func banksComeBackAndLieInSectionsOfTheirOwn(keys: ElementType) throws {
    let sample = try Sample.banked(keys: keys)
    let bytes = try BundleWriter().bytes(of: sample)
    let reader = try BundleReader(bytes: bytes)
    let names = Set(reader.header.sections.map(\.name))
    #expect(names.isSuperset(of: ["bank trained", "bank speaker"]))
    let contents = try reader.contents(operators: Sample.operators)
    let (wanted, made) = (sample.banks, contents.banks)
    #expect(made?.used == "trained" && made?.others.map(\.name) == ["speaker"])
    for (a, b) in zip(made?.others[0].entries ?? [], wanted?.others[0].entries ?? []) {
      #expect(a.keys == b.keys && a.values == b.values && a.memory == b.memory)
    }
    var again = contents
    again.bankTensors = contents.graph()?.values.compactMap(\.fact.constant) ?? []
    #expect(try BundleWriter().bytes(of: again) == bytes)
  }

  /// Who runs a bundle need not unpack what is not read.
  @Test func banksThatLieReadyAreLeftAlone() throws {
    let reader = try BundleReader(bytes: try BundleWriter().bytes(of: try Sample.banked()))
    let contents = try reader.contents(operators: Sample.operators, banks: false)
    #expect(contents.banks == nil && contents.records[StoredBank.record] == nil)
    #expect(contents.graph()?.nodes.count == 2)
  }
}
