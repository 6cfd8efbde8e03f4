import ModelIR
import TensorCore

/// The greatest integer stands for the greatest number, with the operand's own parameters (`Q24`).
extension ReduceMax: MovingOperator {}
