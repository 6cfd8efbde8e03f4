/// Recovers the path of the PyTorch module that a node came from, as far as its exporter left traces.
enum ModulePath {
  static let scopesKey = "pkg.torch.onnx.name_scopes"

  /// The module's path, or an empty string.
  ///
  /// The name of a weight is the best witness: where a batch normalisation was folded into a
  /// convolution, an exporter's scopes name the normalisation.
  static func origin(of node: OnnxNode, isInitializer: (String) -> Bool) -> String {
    if kindsNamedByWeight.contains(node.kind) {
      for input in node.inputs.dropFirst() where isInitializer(input) {
        if let owner = owner(ofParameter: input) { return owner }
      }
    }
    if let scopes = node.scopes, let path = path(fromScopes: scopes) { return path }
    return path(fromNodeName: node.name) ?? ""
  }

  private static let kindsNamedByWeight: Set = [
    "Conv", "ConvTranspose", "Gemm", "BatchNormalization", "LayerNormalization", "PRelu",
    "InstanceNormalization", "GroupNormalization",
  ]

  /// `a.b.weight` belongs to `a.b`; anonymous parameters to nobody.
  static func owner(ofParameter name: String) -> String? {
    for suffix in [".weight_bias", ".weight", ".bias"] where name.hasSuffix(suffix) {
      let owner = String(name.dropLast(suffix.count))
      return owner.isEmpty || owner.contains("::") || owner.contains("/") ? nil : owner
    }
    return nil
  }

  /// `/a/a.1/b/b.0/Conv` is `a.1.b.0`: the last component is the operator, and a component that
  /// continues the one before replaces it.
  static func path(fromNodeName name: String) -> String? {
    guard name.hasPrefix("/") else { return nil }
    var path: [Substring] = []
    for component in name.dropFirst().split(separator: "/").dropLast() {
      if let last = path.last, component.hasPrefix(last + ".") { path.removeLast() }
      path.append(component)
    }
    return path.joined(separator: ".")
  }

  /// The last but one of a Python list of strings: `['', 'a', 'a.0', 'relu_1']` is `a.0`.
  static func path(fromScopes scopes: String) -> String? {
    let names = scopes.split(separator: "'", omittingEmptySubsequences: false)
    // Between quotation marks lie the odd pieces.
    let quoted = names.indices.filter { $0 % 2 == 1 }.map { String(names[$0]) }
    guard quoted.count >= 2 else { return nil }
    let path = quoted[quoted.count - 2]
    return path.isEmpty || path.hasPrefix("_") || path.contains("/") ? nil : path
  }
}
