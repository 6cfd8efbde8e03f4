/// How alike two vectors are.
package enum Similarity {
  package static func cosine(
    _ a: some Sequence<Float>, _ b: some Sequence<Float>
  ) -> Double {
    var (dot, aa, bb) = (0.0, 0.0, 0.0)
    for (x, y) in zip(a, b) {
      dot += Double(x) * Double(y)
      aa += Double(x) * Double(x)
      bb += Double(y) * Double(y)
    }
    return aa > 0 && bb > 0 ? dot / (aa * bb).squareRoot() : (aa == bb ? 1 : 0)
  }

  /// Four places after the point.
  static func text(_ value: Double) -> String {
    let scaled = Int((value * 10_000).rounded())
    let digits = String(abs(scaled % 10_000) + 10_000).dropFirst()
    return "\(scaled < 0 ? "−" : "")\(abs(scaled) / 10_000).\(digits)"
  }
}
