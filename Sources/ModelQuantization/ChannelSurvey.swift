import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

/// The greatest magnitude of each channel of a graph's values, over all samples in any order.
package struct ChannelSurvey: ~Copyable {
  package let graph: Graph
  let groups: ChannelGroups
  private(set) var greatest: [ValueID: [Float]] = [:]
  private var runner: ModelRunner

  /// - Parameter balance: decides which values are looked at.
  package init(_ graph: Graph, _ balance: ChannelBalance, threads: Int = 1) {
    self.graph = graph
    groups = ChannelGroups(graph, throughNormalizations: balance == .everywhere)
    runner = ModelRunner(graph, options: PlanOptions(profile: .exact, threads: threads))
  }

  /// Runs one sample: a tensor for each graph input, in order.
  package mutating func observe(_ inputs: [Tensor]) throws(ModelError) {
    var found = greatest
    greatest = [:]
    let groups = groups
    _ = try runner.run(inputs) { (id, tensor) throws(ModelError) in
      guard let axis = groups.axes[id], tensor.element == .float32, axis < tensor.shape.rank,
        tensor.shape[axis] == groups.count(id)
      else { return }
      ChannelSurvey.raise(
        &found[id, default: [Float](repeating: 0, count: groups.count(id))], by: tensor, axis)
    }
    greatest = found
  }

  private static func raise(_ greatest: inout [Float], by tensor: Tensor, _ axis: Int) {
    let channels = tensor.shape[axis]
    let inner = tensor.shape.count(axis + 1..<tensor.shape.rank)
    tensor.withElements(of: Float.self) { values in
      greatest.withUnsafeMutableBufferPointer { greatest in
        for start in stride(from: 0, to: values.count, by: max(inner, 1)) {
          let channel = start / max(inner, 1) % channels
          var most = greatest[channel]
          for index in start..<start + inner {
            let magnitude = abs(values[index])
            if magnitude > most, magnitude.isFinite { most = magnitude }
          }
          greatest[channel] = most
        }
      }
    }
  }
}
