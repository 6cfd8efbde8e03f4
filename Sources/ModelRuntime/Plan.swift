import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// What a plan is made for.
package struct PlanOptions: Sendable {
  package enum Profile: Sendable {
    /// OpenBLAS for float products; results may differ in the last bits between CPUs.
    case fast
    /// Fixed-order kernels only: the same bits on every CPU and for every number of threads.
    case exact
    /// Exact for graphs with quantized tensors, fast for others.
    case automatic
  }
  package var profile: Profile
  package var tier: KernelTier
  package var threads: Int
  /// Whether every value is made as the graph has it, for those who watch.
  var isObserved = false

  package init(profile: Profile = .automatic, tier: KernelTier = .best, threads: Int = 1) {
    self.profile = profile
    self.tier = tier
    self.threads = max(1, threads)
  }

  /// True where results must be the same bits everywhere.
  func isExact(for graph: Graph) -> Bool {
    switch profile {
    case .exact: true
    case .fast: false
    case .automatic: graph.values.contains { $0.type.quantization != nil }
    }
  }
}

/// What a step reads and writes.
package struct Traffic: Sendable {
  /// Of the first operand.
  package let element: ElementType
  /// Of all operands, constants too, and all outputs.
  package let byteCount: Int
}

/// A graph specialised to input shapes: kernels made, weights packed, every buffer placed.
package struct Plan: Sendable {
  /// Where the bytes of an operand are.
  enum Location: Sendable {
    case arena(Int)
    case constant(Tensor)
    case absent
  }

  /// One kernel and its buffers.
  struct Step: Sendable {
    let name: String
    let operatorName: String
    let kernel: PlannedKernel
    let operands: [Location]
    /// Arena offsets.
    let outputs: [Int]
    let scratch: Int
    let traffic: Traffic
    /// What this step makes, for those who watch.
    let made: [Made]
  }

  /// A value that a step makes.
  struct Made: Sendable {
    /// The value in the graph that the plan was made from; nil for converted copies.
    let original: ValueID?
    let type: TensorType
    let shape: Shape
    let layout: Layout
    let offset: Int
  }

  struct Output: Sendable {
    let location: Location
    let type: TensorType
    let shape: Shape
  }

  let steps: [Step]
  let inputOffsets: [Int]
  let inputTypes: [TensorType]
  let outputs: [Output]
  package let arenaByteCount: Int
  /// The greatest sum of bytes that live at once: what no arena can be smaller than.
  package let liveByteCount: Int
  let options: PlanOptions

  /// Multiply-accumulates of one run, as the kernels count them.
  package var multiplyAccumulates: Int {
    steps.reduce(0) { $0 + $1.kernel.multiplyAccumulates }
  }
}
