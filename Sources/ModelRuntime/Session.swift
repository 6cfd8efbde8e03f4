import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

/// Runs one plan: owns its memory, and threads unless it is lent some, so two runs at once are two sessions.
package struct Session: ~Copyable {
  package let plan: Plan
  private let pool: ThreadPool
  private let arena: AlignedMemory
  private var memory: UnsafeMutableRawPointer { arena.address }
  private let frames: [KernelFrame]
  /// Memory of the outputs of the run before, which is written again once nobody has those outputs any more.
  private var results: [AlignedMemory?]
  /// Memory of the value that was watched last, and its bytes: written again for others once nobody has that value any more.
  private var watched: (memory: AlignedMemory?, byteCount: Int) = (nil, 0)

  /// - Parameter pool: threads that nothing else uses during a run.
  package init(_ plan: Plan, pool: ThreadPool? = nil) {
    self.plan = plan
    let pool = pool ?? ThreadPool(threads: plan.options.threads)
    self.pool = pool
    let arena = AlignedMemory(byteCount: plan.arenaByteCount)
    let memory = arena.address
    memory.initializeMemory(as: UInt8.self, repeating: 0, count: plan.arenaByteCount)
    frames = plan.steps.map { step in
      KernelFrame(
        inputs: step.operands.map { location in
          switch location {
          case .arena(let offset): UnsafeRawPointer(memory + offset)
          case .constant(let tensor): tensor.bytes.baseAddress
          case .absent: nil
          }
        },
        outputs: step.outputs.map { memory + $0 }, scratch: memory + step.scratch, pool: pool)
    }
    self.arena = arena
    results = Array(repeating: nil, count: plan.outputs.count)
  }

  /// - Parameters:
  ///   - inputs: tensors of exactly the planned types.
  ///   - observe: called with each value that a step makes, as its place in the graph that was planned.
  package mutating func run(
    _ inputs: [Tensor],
    observe: ((ValueID, Tensor) throws(ModelError) -> Void)? = nil
  ) throws(ModelError) -> [Tensor] {
    place(inputs)
    for (index, step) in plan.steps.enumerated() {
      do { try step.kernel.run(frames[index]) } catch {
        throw error.during("running node '\(step.name)' (\(step.operatorName))")
      }
      if let observe {
        for made in step.made {
          if let original = made.original { try observe(original, tensor(made)) }
        }
      }
    }
    return plan.outputs.indices.map { result($0) }
  }

  /// An output of the run that has just been.
  private mutating func result(_ index: Int) -> Tensor {
    let output = plan.outputs[index]
    switch output.location {
    case .arena(let offset):
      let element = output.type.element
      if !isKnownUniquelyReferenced(&results[index]) {
        results[index] = TensorStorage.memory(output.shape.count * element.byteCount)
      }
      return Tensor(
        element, output.shape, quantization: output.type.quantization, in: results[index],
        writing: { [memory] target in
          target.copyMemory(
            from: UnsafeRawBufferPointer(start: memory + offset, count: target.count))
        })
    case .constant(let tensor): return tensor
    case .absent: preconditionFailure("an output has no place")
    }
  }

  /// Copies the inputs to where the plan reads them.
  private func place(_ inputs: [Tensor]) {
    for (offset, input) in zip(plan.inputOffsets, inputs) {
      UnsafeMutableRawBufferPointer(start: memory + offset, count: input.byteCount)
        .copyMemory(from: input.bytes)
    }
  }

  /// Runs every step once and reports how long each took, in seconds.
  package mutating func profile(_ inputs: [Tensor]) throws(ModelError) -> [StepTime] {
    place(inputs)
    var times: [StepTime] = []
    let clock = ContinuousClock()
    for (index, step) in plan.steps.enumerated() {
      let start = clock.now
      try step.kernel.run(frames[index])
      let elapsed = start.duration(to: clock.now)
      times.append(
        StepTime(
          name: step.name, operatorName: step.operatorName,
          seconds: Double(elapsed.components.attoseconds) * 1e-18
            + Double(elapsed.components.seconds),
          multiplyAccumulates: step.kernel.multiplyAccumulates, traffic: step.traffic))
    }
    return times
  }

  private mutating func tensor(_ made: Plan.Made) -> Tensor {
    let source = UnsafeRawPointer(memory + made.offset)
    let byteCount = made.shape.count * made.type.element.byteCount
    if watched.byteCount < byteCount || !isKnownUniquelyReferenced(&watched.memory) {
      watched = (TensorStorage.memory(byteCount), byteCount)
    }
    return Tensor(
      made.type.element, made.shape, quantization: made.type.quantization, in: watched.memory,
      writing: { [plan] target in
        guard let start = target.baseAddress else { return }
        guard made.layout == .channelsLast, made.shape.rank >= 3 else {
          start.copyMemory(from: source, byteCount: target.count)
          return
        }
        let conversion = LayoutConversion(
          made.shape, elementByteCount: made.type.element.byteCount, to: .rowMajor,
          tier: plan.options.tier)
        for image in 0..<conversion.images { conversion.convert(image, source, start) }
      })
  }
}

extension [StepTime] {
  /// The faster of each step, here and in another run of the same plan.
  package func fastest(with other: [StepTime]) -> [StepTime] {
    isEmpty ? other : zip(self, other).map { $0.seconds < $1.seconds ? $0 : $1 }
  }

  /// Seconds by the name of the node.
  package var secondsByName: [String: Double] {
    Dictionary(map { ($0.name, $0.seconds) }, uniquingKeysWith: { Swift.min($0, $1) })
  }
}

/// The time that one step took.
package struct StepTime: Sendable {
  package let name: String
  package let operatorName: String
  package let seconds: Double
  package let multiplyAccumulates: Int
  package let traffic: Traffic
}
