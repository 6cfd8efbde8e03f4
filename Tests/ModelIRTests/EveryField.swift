import ModelIR
import TensorCore

/// An operator with an attribute of every kind, any number of operands, and `count` outputs of the
/// logical type of operand 0.
struct EveryField: IntegerOperator {
  static let name = "EveryField"
  static let fields = [
    Field("count", \EveryField.count), Field("flag", \EveryField.flag),
    Field("ratio", \EveryField.ratio), Field("label", \EveryField.label),
    Field("axes", \EveryField.axes), Field("weights", \EveryField.weights),
    Field("words", \EveryField.words), Field("axis", \EveryField.axis),
    Field("table", \EveryField.table), Field("element", \EveryField.element),
  ]
  var count = 1
  var flag = false
  var ratio: Float = 0
  var label = ""
  var axes: [Int] = [0]
  var weights: [Float] = []
  var words: [String] = []
  var axis: Int? = 3
  var table = Tensor(scalar: Float(0))
  var element = ElementType.float32

  func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    [TensorType](repeating: try inputs.required(0).type.logical, count: count)
  }
  func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    [Tensor](repeating: try inputs.required(0), count: count)
  }
  func checkInteger(_ inputs: Operands<Fact>, _ outputs: [TensorType]) throws(ModelError) {}
  func integerReference(
    _ inputs: Operands<Tensor>, _ outputs: [TensorType]
  ) throws(ModelError) -> [Tensor] {
    try reference(inputs)
  }
}
