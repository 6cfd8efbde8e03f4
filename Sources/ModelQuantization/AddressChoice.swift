import ModelIR
import ModelOperators
import TensorCore

/// Which layers read 16 bits where nobody says because they lead to a memory (`Q72`): which of its slots comes first hangs on differences
/// of a thousandth, so that little noise anywhere on the way turns it, and to take it off some of the way is not enough.
struct AddressChoice {
  /// Of all products that the graph sums, how many these layers may sum together.
  let share: Double

  /// Names of the layers of `calibration` that are chosen: all of them, or none where they sum too much.
  ///
  /// - Parameter forms: says which layers run on integers.
  func layers(_ calibration: borrowing Calibration, _ forms: FormPlan) -> Set<String> {
    let graph = calibration.graph
    let leading = graph.valuesLeading { $0.op is MemoryRead ? [$0.inputs[0]] : [] }
    var (products, own) = (0, 0)
    var chosen: Set<String> = []
    for (index, node) in graph.nodes.enumerated() {
      let work = calibration.multiplyAccumulates(of: index) ?? 0
      products += work
      guard node.op is any WeightedOperator, forms.isInteger(index), !forms.isWide(node),
        leading.contains(node.outputs[0])
      else { continue }
      own += work
      chosen.insert(node.name)
    }
    return Double(own) <= share * Double(products) ? chosen : []
  }
}
