import ModelIR

/// Every operator, alphabetically; the only list.
package let allOperators: [any Operator.Type] = [
  Add.self,
  Relu.self,
  Reshape.self,
  Softmax.self,
]
