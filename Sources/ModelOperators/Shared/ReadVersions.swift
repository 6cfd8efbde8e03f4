/// A kind of foreign node, and the opset versions of it that are read.
package struct ReadVersions: Sendable, Hashable, CustomStringConvertible {
  /// Empty for ONNX's own kinds.
  package let domain: String
  package let kind: String
  package let versions: ClosedRange<Int>

  /// As in `formats/operators.md`: `Softmax 1–28`, `com.microsoft.QLinearAdd 1`.
  package var description: String {
    let name = domain.isEmpty ? kind : "\(domain).\(kind)"
    guard versions.count > 1 else { return "\(name) \(versions.lowerBound)" }
    return "\(name) \(versions.lowerBound)–\(versions.upperBound)"
  }
}

extension ImportableOperator {
  /// What is read as this operator: each kind once, where its importers' ranges join.
  package static var readVersions: [ReadVersions] {
    var read: [ReadVersions] = []
    for importer in importers.sorted(by: { $0.versions.lowerBound < $1.versions.lowerBound }) {
      let joined = read.firstIndex {
        $0.domain == importer.domain && $0.kind == importer.kind
          && $0.versions.upperBound >= importer.versions.lowerBound - 1
      }
      guard let joined else {
        read.append(
          ReadVersions(
            domain: importer.domain, kind: importer.kind, versions: importer.versions))
        continue
      }
      let (lower, upper) = (
        read[joined].versions.lowerBound,
        max(read[joined].versions.upperBound, importer.versions.upperBound)
      )
      read[joined] = ReadVersions(
        domain: importer.domain, kind: importer.kind, versions: lower...upper)
    }
    return read.sorted { ($0.domain, $0.kind) < ($1.domain, $1.kind) }
  }
}
