import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Runs the graphs that one node holds; what was planned for some shapes is kept for the next run.
final class InnerRunners: Sendable {
  /// The runners of the node's graphs, for one pool of threads.
  private final class Runners {
    let pool: ThreadPool
    var held: [Holder<ModelRunner>]

    init(_ graphs: [Graph], options: PlanOptions, pool: ThreadPool) {
      self.pool = pool
      held = graphs.map { Holder(ModelRunner($0, options: options, pool: pool)) }
    }
  }

  private let op: any GraphOperator
  private let options: PlanOptions
  private let runners = ReusePool<Runners>()

  init(_ op: any GraphOperator, options: PlanOptions) {
    self.op = op
    self.options = options
  }

  /// The node's outputs.
  func run(_ operands: Operands<Tensor>, pool: ThreadPool) throws(ModelError) -> [Tensor] {
    let types = try op.infer(operands.map { Fact($0) })
    let graphs = op.graphs
    return try runners.use(
      where: { $0.pool === pool },
      orMake: { () throws(ModelError) in
        Runners(graphs.map(\.graph), options: options, pool: pool)
      },
      { (runners) throws(ModelError) in
        try op.run(operands, outputs: types) { (index, inputs) throws(ModelError) in
          try during("running graph '\(graphs[index].name)'") { () throws(ModelError) in
            try runners.held[index].content.run(inputs)
          }
        }
      })
  }

  /// The kernel of a node in a plan: its operands are copied, since its graphs have memory of their own.
  static func kernel(
    _ node: Node, _ op: any GraphOperator, operandTypes: [TensorType?], constants: [Tensor?],
    outputs: [TensorType], options: PlanOptions
  ) -> PlannedKernel {
    let runners = InnerRunners(op, options: options)
    return ReferenceKernel.kernel(
      operandTypes: operandTypes, constants: constants, outputs: outputs
    ) { (operands, pool) throws(ModelError) in
      try runners.run(operands, pool: pool)
    }
  }
}
