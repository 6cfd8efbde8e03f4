import ModelIR

/// Every operator, alphabetically; the only list.
package let allOperators: [any Operator.Type] = [
  Add.self,
  BatchNormalization.self,
  Convolution.self,
  Dequantize.self,
  Gemm.self,
  Linear.self,
  LookupTable.self,
  MatMul.self,
  Quantize.self,
  Relu.self,
  Reshape.self,
  Softmax.self,
  TransposedConvolution.self,
]
