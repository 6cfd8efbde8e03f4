import ModelIR
import TensorCore

extension Linear: WeightedOperator {
  package var weightChannelAxis: Int { transposeWeight ? 0 : 1 }
  package func outputChannelAxis(rank: Int) -> Int { rank - 1 }
  package func tapUse(_ input: Shape, _ weight: Shape) throws(ModelError) -> [Double] { [1] }
  package func integerSums(
    _ x: [Int64], _ input: Shape, _ w: [Int64], _ weight: Shape
  ) throws(ModelError) -> [Int64] {
    products(x, input, w, weight: weight)
  }
}
