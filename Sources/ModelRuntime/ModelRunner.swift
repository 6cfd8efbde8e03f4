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
  private var sessions = RecentPlans<SessionBox>(limit: keptPlans)
  private let stepwise: StepwiseExecutor
  /// How often inputs came in shapes that no kept plan was for.
  package private(set) var plansMade = 0
  private let pool: ThreadPool

  /// Holds a session in an array, which cannot hold values that do not copy.
  private final class SessionBox {
    var session: Session?
    init(_ session: consuming Session?) { self.session = session }
  }

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
    let box = try prepare(inputs, observed: observe != nil)
    guard box.session != nil else { return try stepwise.run(inputs, observe: observe) }
    return try box.session!.run(inputs, observe: observe)
  }

  /// The time of every step for these inputs; empty where the graph runs unplanned.
  package mutating func profile(_ inputs: [Tensor]) throws(ModelError) -> [StepTime] {
    let box = try prepare(inputs)
    guard box.session != nil else { return [] }
    return try box.session!.profile(inputs)
  }

  /// The plan for these inputs; nil where shapes depend on data.
  package mutating func plan(_ inputs: [Tensor]) throws(ModelError) -> Plan? {
    try prepare(inputs).session?.plan
  }

  private mutating func prepare(
    _ inputs: [Tensor], observed: Bool = false
  ) throws(ModelError) -> SessionBox {
    try graph.bind(inputs)
    let types = inputs.map(\.type)
    if let found = sessions.plan(for: types),
      !observed || found.session?.plan.options.isObserved ?? true
    {
      return found
    }
    plansMade += 1
    var options = options
    options.isObserved = observed
    let box: SessionBox
    do {
      box = SessionBox(Session(try Plan(graph, inputTypes: types, options: options), pool: pool))
    } catch  where error.code == .unknownShape {
      box = SessionBox(nil)
    }
    sessions.keep(box, for: types)
    return box
  }
}
