import Foundation
import ModelIR
import ModelOperators
import Testing

@Suite struct OperatorListTests {
  /// Folders and files of `Sources/ModelOperators` that hold operators: everything but `Shared` and
  /// the protocols that groups share.
  @Test func everyOperatorFileIsInTheListAndBack() throws {
    let root = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../Sources/ModelOperators").standardized
    let shared: Set = ["OperatorList"]
    var found: Set<String> = []
    let files = try #require(
      FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil))
    for case let file as URL in files where file.pathExtension == "swift" {
      let name = file.deletingPathExtension().lastPathComponent
      if file.path().contains("/Shared/") || shared.contains(name) || name.contains("+") {
        continue
      }
      found.insert(name)
    }
    #expect(found == Set(allOperators.map { String(describing: $0) }))
    #expect(
      allOperators.map { String(describing: $0) }.sorted()
        == allOperators.map { String(describing: $0) })
    #expect(Set(allOperators.map { $0.name }).count == allOperators.count)
  }
}
