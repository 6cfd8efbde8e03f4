import ModelIR
import ModelKernels
import TensorCore

/// Runs a graph on inputs of any shapes that it allows: plans are made once for each set of shapes and
/// kept, the most recent ones first.
package struct ModelRunner: ~Copyable {
  package let graph: Graph
  package let options: PlanOptions
  /// Plans that are kept at once.
  package static let keptPlans = 4
  private var sessions = RecentPlans<Holder<Session?>>(limit: keptPlans)
  private let stepwise: StepwiseExecutor
  /// How often inputs came in shapes that no kept plan was for.
  package private(set) var plansMade = 0
  private let pool: ThreadPool

  /// - Parameter pool: threads that nothing else uses during a run.
  package init(
    _ graph: Graph, options: PlanOptions = PlanOptions(), pool: ThreadPool? = nil
  ) {
    let pool = pool ?? ThreadPool(threads: options.threads)
    self.graph = graph
    self.options = options
    self.pool = pool
    stepwise = StepwiseExecutor(graph: graph, options: options, pool: pool)
  }

  /// - Throws: an error that names the input, the dimension and what is allowed where `inputs` do not
  ///   fit the graph.
  package mutating func run(
    _ inputs: [Tensor],
    observe: ((ValueID, Tensor) throws(ModelError) -> Void)? = nil
  ) throws(ModelError) -> [Tensor] {
    let held = try prepare(inputs, observed: observe != nil)
    guard held.content != nil else { return try stepwise.run(inputs, observe: observe) }
    return try held.content!.run(inputs, observe: observe)
  }

  /// The time of every step for these inputs; empty where the graph runs unplanned.
  package mutating func profile(_ inputs: [Tensor]) throws(ModelError) -> [StepTime] {
    let held = try prepare(inputs)
    guard held.content != nil else { return [] }
    return try held.content!.profile(inputs)
  }

  /// The plan for these inputs; nil where shapes depend on data.
  package mutating func plan(_ inputs: [Tensor]) throws(ModelError) -> Plan? {
    try prepare(inputs).content?.plan
  }

  private mutating func prepare(
    _ inputs: [Tensor], observed: Bool = false
  ) throws(ModelError) -> Holder<Session?> {
    try graph.bind(inputs)
    let types = inputs.map(\.type)
    if let found = sessions.plan(for: types),
      !observed || found.content?.plan.options.isObserved ?? true
    {
      return found
    }
    plansMade += 1
    var options = options
    options.isObserved = observed
    let held: Holder<Session?>
    do {
      held = Holder<Session?>(
        Session(try Plan(graph, inputTypes: types, options: options), pool: pool))
    } catch  where error.code == .unknownShape {
      held = Holder<Session?>(nil)
    }
    sessions.keep(held, for: types)
    return held
  }
}
