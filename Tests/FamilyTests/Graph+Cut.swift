import ModelIR
import TensorCore
import Testing

extension Graph {
  /// The graph with its first node of `kind`, or its last, cut out: what that makes becomes an input, of the
  /// same type in another structure.
  func cut(_ kind: String, last: Bool = false) throws -> Graph {
    let count = nodes.filter { Swift.type(of: $0.op).name == kind }.count
    try #require(count > 0)
    var left = last ? count : 1
    return try rebuilt { (node, operands, new) throws(ModelError) in
      guard Swift.type(of: node.op).name == kind else { return nil }
      left -= 1
      guard left == 0 else { return nil }
      return try node.outputs.enumerated().map { (index, output) throws(ModelError) in
        try new.addInput("cut.\(index)", self.type(output))
      }
    }
  }
}
