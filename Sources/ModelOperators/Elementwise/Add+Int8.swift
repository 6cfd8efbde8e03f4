extension Add: IntegerBinaryOperator {
  package static let integerForm = IntegerBinaryForm.sum
}
