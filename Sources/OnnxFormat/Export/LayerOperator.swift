import ModelIR
import ModelOperators

/// An operator with an ``Epilogue``, seen as the layer without it.
protocol LayerOperator: Operator {
  var epilogue: Epilogue { get set }
  /// The axis of channels in a result of `rank`.
  func channelAxis(rank: Int) -> Int
}

extension LayerOperator {
  /// The same layer without activation.
  var bare: Self {
    var layer = self
    layer.epilogue = Epilogue()
    return layer
  }
}

extension Convolution: LayerOperator {
  func channelAxis(rank: Int) -> Int { 1 }
}

extension TransposedConvolution: LayerOperator {
  func channelAxis(rank: Int) -> Int { 1 }
}

extension Gemm: LayerOperator {
  func channelAxis(rank: Int) -> Int { 1 }
}

extension Linear: LayerOperator {
  func channelAxis(rank: Int) -> Int { rank - 1 }
}
