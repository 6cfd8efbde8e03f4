import TensorCore

/// One kind of computation: its attributes are its stored properties.
///
/// Facets that need more than the graph (planned kernels, import from ONNX) are refinements declared
/// beside the operators.
package protocol Operator: Sendable, SendableMetatype {
  /// Unique and never reused: the name in the text form and in bundles.
  static var name: String { get }
  /// Every stored property, in the order in which it is written.
  static var fields: [Field<Self>] { get }
  /// An operator with default attributes.
  init()

  /// The types of the outputs. Operands that are quantized integers arrive as the float32 tensors
  /// that they stand for, so an operator types real numbers only.
  ///
  /// - Throws: a rejection that cites its clause of `formats/operators.md`; `unknown-shape`, by way
  ///   of ``Fact/dimensions()`` and ``Fact/content()``, where the shape cannot be known yet.
  func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType]

  /// Element types of the outputs where ``infer(_:)`` could not know the shapes.
  func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType]

  /// The formula as plain loops: no kernel, no BLAS. Called with operands that ``infer(_:)`` accepts.
  func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor]

  /// The output's elements as extents, for operators that carry shape arithmetic on symbolic
  /// dimensions. Only the first output can have extents.
  func extents(_ inputs: Operands<Fact>) -> [Dimension]?

  /// False for operators whose output must not be folded or shared: random numbers.
  var isDeterministic: Bool { get }
}

extension Operator {
  package static var fields: [Field<Self>] { [] }
  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [try inputs.required(0).element]
  }
  package func extents(_ inputs: Operands<Fact>) -> [Dimension]? { nil }
  package var isDeterministic: Bool { true }

  /// Name and value of every attribute, in declaration order.
  package var attributes: [(name: String, value: Attribute)] {
    Self.fields.map { ($0.name, $0.get(self)) }
  }

  /// An operator with `attributes` set over the defaults.
  ///
  /// - Throws: `unsupported-attribute` for a name or value that it does not have.
  package init(attributes: [(name: String, value: Attribute)]) throws(ModelError) {
    self.init()
    for (name, value) in attributes {
      guard let field = Self.fields.first(where: { $0.name == name }) else {
        throw ModelError(.unsupportedAttribute, "\(Self.name) has no attribute '\(name)'")
      }
      try field.set(&self, value)
    }
  }

  /// Same kind, same attributes.
  package func isEqual(to other: any Operator) -> Bool {
    guard let other = other as? Self else { return false }
    return Self.fields.allSatisfy { $0.get(self) == $0.get(other) }
  }
}

/// An operator that takes sequences of tensors, or passes on whatever it is given.
package protocol SequenceOperator: Operator {}

/// An operator that also computes on quantized integers, exactly as `formats/quantization.md` says.
package protocol IntegerOperator: Operator {
  /// Whether these operand and output types have an integer form; types are as stored, with their
  /// quantization.
  ///
  /// - Throws: `not-quantizable` with the reason where they have none.
  func checkInteger(_ inputs: Operands<Fact>, _ outputs: [TensorType]) throws(ModelError)

  /// The integer formula as plain loops, exact to the last bit. `outputs` have concrete shapes and
  /// the quantization that the graph gives them.
  func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor]
}
