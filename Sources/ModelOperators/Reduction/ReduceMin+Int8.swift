import ModelIR
import TensorCore

/// The least integer stands for the least number, with the operand's own parameters (`Q24`).
extension ReduceMin: MovingOperator {}
