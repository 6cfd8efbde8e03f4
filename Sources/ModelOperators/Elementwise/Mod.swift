import ModelIR
import TensorCore

/// The remainder of a / b with multidirectional broadcasting: a − ⌊a/b⌋·b, with the sign of b, or with
/// `truncates` a − trunc(a/b)·b, with the sign of a. Integers give 0 for a divisor of 0. ONNX Mod
/// 10–28.
package struct Mod: BinaryOperator {
  package static let name = "Mod"
  package static let fields = [Field("fmod", \Mod.truncates)]
  package var truncates = false
  package init() {}
  package init(truncates: Bool) { self.truncates = truncates }

  package func apply(_ a: Double, _ b: Double) -> Double {
    let remainder = a.truncatingRemainder(dividingBy: b)
    if truncates || remainder.isNaN { return remainder }
    if remainder == 0 { return b.sign == .minus ? -0.0 : 0 }
    return (remainder < 0) == (b < 0) ? remainder : remainder + b
  }

  package func apply(_ a: Int64, _ b: Int64) -> Int64 {
    guard b != 0 else { return 0 }
    let remainder = a.remainderReportingOverflow(dividingBy: b).partialValue
    return truncates || remainder == 0 || (remainder < 0) == (b < 0) ? remainder : remainder + b
  }

  package func apply(_ a: UInt64, _ b: UInt64) -> UInt64 { b == 0 ? 0 : a % b }
}

extension Mod: ImportableOperator {
  package static let importers = [
    Importer("Mod", 10...newestOpset) { node throws(ModelError) in
      Mod(truncates: try node.flag("fmod", default: false))
    }
  ]
}
