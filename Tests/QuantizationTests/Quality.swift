import ModelIR
import ModelRuntime
import TensorCore

/// The power of what `float` makes of `x` by that of what `graph` makes otherwise.
func quality(of graph: Graph, against float: Graph, _ x: Tensor) throws -> Double {
  let expected = try ReferenceExecutor(float).run([x])[0].doubles()
  let found = try ReferenceExecutor(graph).run([x])[0].doubles()
  var (signal, error) = (0.0, 0.0)
  for (p, q) in zip(expected, found) {
    signal += p * p
    error += (p - q) * (p - q)
  }
  return signal / error
}
