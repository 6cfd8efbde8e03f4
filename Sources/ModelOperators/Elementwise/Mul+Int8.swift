extension Mul: IntegerBinaryOperator {
  package static let integerForm = IntegerBinaryForm.product
}
