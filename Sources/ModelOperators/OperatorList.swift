import ModelIR

/// Every operator, alphabetically; the only list.
package let allOperators: [any Operator.Type] = [
  Add.self,
  BatchNormalization.self,
  Convolution.self,
  Gemm.self,
  Linear.self,
  MatMul.self,
  Relu.self,
  Reshape.self,
  Softmax.self,
  TransposedConvolution.self,
]
