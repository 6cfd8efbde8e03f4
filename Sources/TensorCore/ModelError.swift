/// The one error that this package throws: a code for programs, a sentence for people, and the trail
/// of steps that were under way.
package struct ModelError: Error, Sendable, Hashable {
  /// A stable identifier of what went wrong; every code is listed in `formats/errors.md`.
  package struct Code: RawRepresentable, Hashable, Sendable {
    package let rawValue: String
    package init(rawValue: String) { self.rawValue = rawValue }

    /// Bytes that are not what their format says: truncated, corrupt or contradictory.
    package static let malformedInput = Code(rawValue: "malformed-input")
    /// A size, count, depth or length beyond the documented limit.
    package static let limitExceeded = Code(rawValue: "limit-exceeded")
    /// Operand shapes that an operator cannot accept.
    package static let shapeMismatch = Code(rawValue: "shape-mismatch")
    /// Operand element types that an operator cannot accept.
    package static let typeMismatch = Code(rawValue: "type-mismatch")
    /// A shape that is needed now and is not known yet.
    package static let unknownShape = Code(rawValue: "unknown-shape")
    /// An operator, operator version or domain that Maquette does not know.
    package static let unsupportedOperator = Code(rawValue: "unsupported-operator")
    /// An attribute, or an attribute's value, that an operator does not know.
    package static let unsupportedAttribute = Code(rawValue: "unsupported-attribute")
    /// A feature of a known format that Maquette does not read.
    package static let unsupportedFeature = Code(rawValue: "unsupported-feature")
    /// An attribute or operand that is outside its range.
    package static let invalidValue = Code(rawValue: "invalid-value")
    /// A graph that breaks its own rules: cycles, dangling values, duplicate names.
    package static let invalidGraph = Code(rawValue: "invalid-graph")
    /// A file or folder that should be there and is not.
    package static let missingInput = Code(rawValue: "missing-input")
    /// A path that leaves the folder it is confined to.
    package static let forbiddenPath = Code(rawValue: "forbidden-path")
    /// A digest or signature that does not match its content.
    package static let integrityFailure = Code(rawValue: "integrity-failure")
    /// An operating-system read or write that failed.
    package static let inputOutput = Code(rawValue: "input-output")
    /// An output file that cannot be created.
    package static let cannotCreate = Code(rawValue: "cannot-create")
    /// A combination of options that makes no sense.
    package static let usage = Code(rawValue: "usage")
    /// Weights or scales whose integer form could overflow or lose its meaning.
    package static let notQuantizable = Code(rawValue: "not-quantizable")
    /// A target that no form of the model reaches.
    package static let outOfReach = Code(rawValue: "out-of-reach")
  }

  package let code: Code
  package let message: String
  /// Steps that were under way, innermost first.
  package private(set) var trail: [String] = []

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  /// The same error with one more step on its trail.
  package consuming func during(_ step: @autoclosure () -> String) -> ModelError {
    trail.append(step())
    return self
  }
}

extension ModelError: CustomStringConvertible {
  package var description: String {
    trail.reduce("\(code.rawValue): \(message)") { $0 + "\n  while \($1)" }
  }
}

/// Runs `body`; an error that it throws gains `step` on its trail.
package func during<Result: ~Copyable>(
  _ step: @autoclosure () -> String, _ body: () throws(ModelError) -> Result
) throws(ModelError) -> Result {
  do { return try body() } catch { throw error.during(step()) }
}
