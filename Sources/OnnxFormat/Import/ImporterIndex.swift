import ModelIR
import ModelOperators
import TensorCore

/// Finds the importer of a foreign operator.
struct ImporterIndex: Sendable {
  struct Key: Hashable {
    let domain: String
    let kind: String
  }
  private var importers: [Key: [Importer]] = [:]

  static let all = ImporterIndex(importableOperators)

  init(_ operators: [any ImportableOperator.Type]) {
    for op in operators {
      for importer in op.importers {
        importers[Key(domain: importer.domain, kind: importer.kind), default: []].append(importer)
      }
    }
  }

  func knows(_ kind: String, domain: String) -> Bool {
    importers[Key(domain: domain, kind: kind)] != nil
  }

  /// - Throws: `unsupported-operator`, with what is known of the kind.
  func importer(
    _ kind: String, domain: String, version: Int, node: String
  ) throws(ModelError) -> Importer {
    let described =
      "operator \(kind) of \(domain.isEmpty ? "ONNX" : "domain '\(domain)'") opset \(version)"
      + " (node '\(node)')"
    guard let candidates = importers[Key(domain: domain, kind: kind)] else {
      throw ModelError(
        .unsupportedOperator,
        "\(described) is not supported; export the model without it, or add the operator as "
          + "CONTRIBUTING.md says")
    }
    guard let match = candidates.first(where: { $0.versions.contains(version) }) else {
      let ranges = candidates.map {
        "\($0.versions.lowerBound) to \($0.versions.upperBound)"
      }
      throw ModelError(
        .unsupportedOperator,
        "\(described) is supported in opsets \(ranges.joined(separator: ", ")) only; export the "
          + "model with one of these or convert it with onnx.version_converter")
    }
    return match
  }
}
