extension Sub: IntegerBinaryOperator {
  package static let integerForm = IntegerBinaryForm.difference
}
