/// Why a node of an int8 graph stays float, and what would bring it to integers.
package struct FloatReason: Sendable, Hashable {
  package let text: String
  package let change: String

  package init(_ text: String, change: String) {
    self.text = text
    self.change = change
  }

  /// For operators that lose more by integers than they gain.
  static let nothing = "nothing that Maquette offers"

  static let onRequest = FloatReason(
    "kept in float on request", change: "a conversion without its --keep-float")
  static let byPlan = FloatReason(
    "kept in float by the plan, for the noise that integers add",
    change: "a plan that demands less of the outputs")

  /// A rule of a family.
  package static func family(_ reason: String) -> FloatReason {
    FloatReason(reason, change: "nothing: the family keeps it so")
  }

  static func unknownRange(of name: String) -> FloatReason {
    FloatReason(
      "the range of '\(name)' is not known", change: "calibration with samples that reach it")
  }

  static func notConstant(_ what: String) -> FloatReason {
    FloatReason(
      "\(what) not constant", change: "an export of the model with them as initializers")
  }

  static func noIntegerForm(_ name: String) -> FloatReason {
    FloatReason(
      "\(name) has no integer form; it runs in float32 with a fixed order of operations",
      change: nothing)
  }
}
