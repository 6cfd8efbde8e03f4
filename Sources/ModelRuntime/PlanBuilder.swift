import ModelIR
import ModelKernels
import ModelOperators
import TensorCore

extension Plan {
  /// Plans `graph` for inputs of these types, all concrete.
  ///
  /// - Throws: `unknown-shape` where a shape depends on data: such graphs run step by step.
  init(_ graph: Graph, inputTypes: [TensorType], options: PlanOptions) throws(ModelError) {
    let specialised = try Specialised(graph, inputTypes: inputTypes)
    var builder = try PlanBuilder(specialised, options: options)
    try builder.addInputs()
    for node in specialised.graph.nodes where builder.isLive(node) { try builder.add(node) }
    self = try builder.plan()
    try PackedWeights.pack(steps.flatMap(\.kernel.packed))
  }
}

extension Graph {
  /// Preferred layouts, with those of floats that only pass through operators on elements: a value likes channels last where
  /// what is made of it does and no other operand would have to be turned.
  fileprivate func preferences(given: [Layout]) -> [Layout] {
    var preferred = given
    for node in nodes.reversed() where node.op is Quantize || node.op is any BinaryOperator {
      guard let output = node.outputs.first, preferred[output.index] == .channelsLast,
        let shape = type(output).shape
      else { continue }
      let operands = node.inputs.compactMap(\.self).filter { type($0).shape == shape }
      let isTurned = operands.contains { operand in
        guard let producer = self[operand].producer else { return true }
        let op = nodes[producer].op
        return !(op is any WeightedOperator || op is Dequantize || op is any BinaryOperator)
      }
      for operand in operands where !isTurned && type(operand).quantization == nil {
        preferred[operand.index] = .channelsLast
      }
    }
    return preferred
  }
}

extension Graph {
  /// The float32 values that an int8 layer with weights makes and a Quantize reads, and what that makes of them: one kernel can do
  /// both with the same bits (`Q7`, `Q20`). Where nothing else reads them, integers are all that is stored.
  ///
  /// - Parameter uses: how often each value is read, outputs of the graph included.
  fileprivate func valuesStoredAsIntegers(_ uses: [Int]) -> [ValueID: StoredIntegers] {
    var stored: [ValueID: StoredIntegers] = [:]
    for node in nodes where node.op is Quantize {
      guard let first = node.inputs.first, let input = first, stored[input] == nil,
        let parameters = type(node.outputs[0]).quantization, type(input).quantization == nil,
        let layer = producer(of: input),
        layer.op is any WeightedOperator, let image = layer.inputs.first, let image,
        type(image).quantization != nil
      else { continue }
      stored[input] = StoredIntegers(
        value: node.outputs[0],
        request: KernelRequest.Stored(parameters, keepsReal: uses[input.index] > 1))
    }
    return stored
  }
}

extension Graph {
  /// The int8 layers whose output nothing reads but another layer with the same weights, as its residual, by that output: one kernel
  /// may do both.
  ///
  /// - Parameter uses: how often each value is read, outputs of the graph included.
  fileprivate func addends(_ uses: [Int]) -> [ValueID: Node] {
    var layers: [ValueID: Node] = [:]
    func isLayer(_ node: Node) -> Bool {
      guard node.op is any WeightedOperator, let image = node.inputs[0] else { return false }
      return type(image).quantization != nil
    }
    for node in nodes where isLayer(node) {
      guard let sum = node.residual, uses[sum.index] == 1, let first = producer(of: sum),
        isLayer(first), first.inputs[1] == node.inputs[1],
        first.residual.flatMap({ layers[$0] }) == nil
      else { continue }
      layers[sum] = first
    }
    return layers
  }
}

extension Node {
  /// What a layer with weights adds before its activation.
  fileprivate var residual: ValueID? { inputs.count > 3 ? inputs[3] : nil }
}

/// Integers that a layer makes of its float32 output.
private struct StoredIntegers {
  let value: ValueID
  let request: KernelRequest.Stored
}

/// Lays out the steps, then their memory.
private struct PlanBuilder {
  /// A buffer while it is planned: some values share one (aliases, overwritten operands).
  private struct Buffer {
    let byteCount: Int
    let first: Int
    var last: Int
    var canBeOverwritten: Bool
  }

  private enum Place {
    case buffer(Int)
    case constant(Tensor)
    case absent
  }

  /// A value in one layout.
  private struct Held {
    var place: Place
    let layout: Layout
  }

  private struct PendingStep {
    let name: String
    let operatorName: String
    let kernel: PlannedKernel
    let operands: [Place]
    let outputs: [Int]
    let scratch: Int
    let traffic: Traffic
    let made: [(original: ValueID?, type: TensorType, shape: Shape, layout: Layout)]
  }

  private let specialised: Specialised
  private var graph: Graph { specialised.graph }
  private let options: PlanOptions
  private let matrices: any MatrixBackend
  private let isExact: Bool
  private let live: Set<Int>
  private let preferred: [Layout]
  private var left: [Int]
  private var buffers: [Buffer] = []
  private var steps: [PendingStep] = []
  /// For float32 values that a Quantize alone reads, and that their layers therefore store as integers, what it makes of them.
  private let storedAs: [ValueID: StoredIntegers]
  /// Layers that are planned with those that add their outputs.
  private var addends: [ValueID: Node]
  /// Forms of each value: the one its kernel made, then converted copies.
  private var held: [[Held]]
  private var inputBuffers: [Int] = []

  init(_ specialised: Specialised, options: PlanOptions) throws(ModelError) {
    self.specialised = specialised
    self.options = options
    let graph = specialised.graph
    isExact = options.isExact(for: graph)
    matrices =
      isExact || !OpenBLASMatrices.suits(options.tier)
      ? TierMatrices(tier: options.tier, isFused: !isExact) : OpenBLASMatrices()
    var live = Set(graph.outputs.map(\.value.index))
    for node in graph.nodes.reversed()
    where node.outputs.contains(where: { live.contains($0.index) }) {
      for input in node.inputs { if let input { live.insert(input.index) } }
    }
    self.live = live
    var preferred = [Layout](repeating: .rowMajor, count: graph.values.count)
    for node in graph.nodes {
      let likes =
        (node.op as? any PlannedOperator).map { type(of: $0).prefersChannelsLast } ?? false
      let integersLike =
        (node.op as? any IntegerPlannedOperator).map { type(of: $0).integersPreferChannelsLast }
        ?? false
      guard likes || integersLike, let first = node.inputs.first, let input = first,
        graph.type(input).quantization != nil, (graph.type(input).rank ?? 0) >= 3
      else { continue }
      preferred[input.index] = .channelsLast
    }
    self.preferred = graph.preferences(given: preferred)
    var left = [Int](repeating: 0, count: graph.values.count)
    for node in graph.nodes where node.outputs.contains(where: { live.contains($0.index) }) {
      for input in node.inputs { if let input { left[input.index] += 1 } }
    }
    for output in graph.outputs { left[output.value.index] += 1 }
    self.left = left
    storedAs = options.isObserved ? [:] : graph.valuesStoredAsIntegers(left)
    addends = options.isObserved ? [:] : graph.addends(left)
    held = graph.values.map { value in
      value.fact.constant.map { [Held(place: .constant($0), layout: .rowMajor)] } ?? []
    }
  }

  func isLive(_ node: Node) -> Bool { node.outputs.contains { live.contains($0.index) } }

  mutating func addInputs() throws(ModelError) {
    for port in graph.inputs {
      let type = graph.type(port.value)
      guard let shape = type.shape else {
        throw ModelError(.unknownShape, "input '\(port.name)' has no concrete shape")
      }
      let index = newBuffer(shape.count * type.element.byteCount, first: 0)
      inputBuffers.append(index)
      held[port.value.index] = [Held(place: .buffer(index), layout: .rowMajor)]
    }
  }

  private mutating func newBuffer(_ byteCount: Int, first: Int) -> Int {
    buffers.append(
      Buffer(byteCount: byteCount, first: first, last: first, canBeOverwritten: true))
    return buffers.count - 1
  }

  mutating func add(_ node: Node) throws(ModelError) {
    // Its layer has made it already.
    if let first = node.inputs.first, let input = first,
      storedAs[input]?.value == node.outputs[0]
    {
      left[input.index] -= 1
      return
    }
    if let output = node.outputs.first, addends[output] != nil { return }
    guard let sum = node.residual, let first = addends.removeValue(forKey: sum) else {
      return try add(node, node.inputs, try makeKernel(node))
    }
    let kernel = try makeKernel(first)
    if let both = PlannedKernel(
      kernel, addedBy: try makeKernel(node),
      sumByteCount: try concreteShape(of: sum).count * graph.type(sum).element.byteCount)
    {
      try add(node, PlannedKernel.operands(first.inputs, addedBy: node.inputs), both)
    } else {
      try add(first, first.inputs, kernel)
      try add(node)
    }
  }

  private func concreteShape(of id: ValueID) throws(ModelError) -> Shape {
    guard let shape = graph.type(id).shape else {
      throw ModelError(.unknownShape, "the shape of '\(graph[id].name)' depends on data")
    }
    return shape
  }

  /// What the kernel of a node makes.
  private func made(by node: Node) -> [ValueID] {
    node.outputs.flatMap { output in
      guard let stored = storedAs[output] else { return [output] }
      return stored.request.keepsReal ? [output, stored.value] : [stored.value]
    }
  }

  /// - Parameter inputs: the kernel's operands.
  private mutating func add(
    _ node: Node, _ inputs: [ValueID?], _ kernel: PlannedKernel
  ) throws(ModelError) {
    let made = made(by: node)
    let types = made.map { graph.type($0) }
    let shapes = try made.map { id throws(ModelError) in try concreteShape(of: id) }
    // Bring every operand to the layout that the kernel wants.
    var operands: [Place] = []
    for (index, input) in inputs.enumerated() {
      guard let input else {
        operands.append(.absent)
        continue
      }
      guard !kernel.packedOperands.contains(index) else {
        operands.append(.absent)
        continue
      }
      try graph.constant(input)?.load()
      let wanted =
        index < kernel.operandLayouts.count ? kernel.operandLayouts[index] : .rowMajor
      operands.append(try place(of: input, in: wanted))
    }
    let step = steps.count
    for place in operands {
      if case .buffer(let index) = place { buffers[index].last = max(buffers[index].last, step) }
    }
    for input in inputs { if let input { left[input.index] -= 1 } }

    var outputs: [Int] = []
    for (index, id) in made.enumerated() {
      let byteCount = shapes[index].count * types[index].element.byteCount
      let layout =
        index < kernel.outputLayouts.count ? kernel.outputLayouts[index] : .rowMajor
      let place: Place
      if index == 0, let alias = kernel.aliasedOperand {
        place = operands[alias]
        if case .buffer(let shared) = place { buffers[shared].canBeOverwritten = false }
      } else if index == 0, let shared = overwritable(kernel, inputs, operands, byteCount) {
        place = .buffer(shared)
      } else {
        place = .buffer(newBuffer(byteCount, first: step))
      }
      held[id.index] = [Held(place: place, layout: layout)]
      if case .buffer(let shared) = place {
        buffers[shared].last = max(buffers[shared].last, step)
        outputs.append(shared)
      }
    }
    guard kernel.aliasedOperand == nil else {
      if case .constant(let tensor) = operands[kernel.aliasedOperand ?? 0] {
        held[made[0].index] = [
          Held(place: .constant(try tensor.reshaped(to: shapes[0])), layout: .rowMajor)
        ]
      } else {
        addStep(node, inputs, kernel, operands, outputs, made, types, shapes, scratch: -1)
      }
      return
    }
    let scratch = kernel.scratchByteCount > 0 ? newBuffer(kernel.scratchByteCount, first: step) : -1
    addStep(node, inputs, kernel, operands, outputs, made, types, shapes, scratch: scratch)
  }

  private mutating func addStep(
    _ node: Node, _ inputs: [ValueID?], _ kernel: PlannedKernel, _ operands: [Place],
    _ outputs: [Int], _ ids: [ValueID], _ types: [TensorType], _ shapes: [Shape], scratch: Int
  ) {
    let made = ids.indices.map { index in
      (
        original: specialised.original[ids[index].index], type: types[index],
        shape: shapes[index],
        layout: index < kernel.outputLayouts.count ? kernel.outputLayouts[index] : .rowMajor
      )
    }
    let read = inputs.compactMap(\.self)
    let bytes = Set(read).reduce(0) {
      $0 + (graph.type($1).shape?.count ?? 0) * graph.type($1).element.byteCount
    }
    let traffic = Traffic(
      element: read.first.map { graph.type($0).element } ?? types[0].element,
      byteCount: zip(types, shapes).reduce(bytes) { $0 + $1.1.count * $1.0.element.byteCount })
    steps.append(
      PendingStep(
        name: node.name, operatorName: type(of: node.op).name, kernel: kernel, operands: operands,
        outputs: outputs, scratch: scratch, traffic: traffic, made: made))
  }

  /// The buffer of an operand that dies here and that the kernel may write over.
  private func overwritable(
    _ kernel: PlannedKernel, _ inputs: [ValueID?], _ operands: [Place], _ byteCount: Int
  ) -> Int? {
    for index in kernel.overwritableOperands where index < operands.count {
      guard case .buffer(let shared) = operands[index], let id = inputs[index],
        left[id.index] == 0, buffers[shared].byteCount == byteCount,
        buffers[shared].canBeOverwritten, held[id.index].count == 1, graph[id].producer != nil
      else { continue }
      let readElsewhere = operands.indices.contains { other in
        if other != index, case .buffer(shared) = operands[other] { true } else { false }
      }
      if !readElsewhere { return shared }
    }
    return nil
  }

  private mutating func place(of id: ValueID, in layout: Layout) throws(ModelError) -> Place {
    if let form = held[id.index].first(where: { $0.layout == layout }) { return form.place }
    guard let source = held[id.index].first, let shape = graph.type(id).shape else {
      throw ModelError(.invalidGraph, "'\(graph[id].name)' is read before it is made")
    }
    let type = graph.type(id)
    guard shape.rank >= 3 else { return source.place }
    let step = steps.count
    let conversion = LayoutConversion(
      shape, elementByteCount: type.element.byteCount, to: layout, tier: options.tier)
    if case .constant(let tensor) = source.place {
      // The bytes alone are of another order; nothing reads them but kernels that know.
      let converted = Tensor(
        type.element, shape, quantization: type.quantization,
        writing: { target in
          guard let from = tensor.bytes.baseAddress, let to = target.baseAddress else { return }
          for image in 0..<conversion.images { conversion.convert(image, from, to) }
        })
      held[id.index].append(Held(place: .constant(converted), layout: layout))
      return .constant(converted)
    }
    let kernel = conversion.kernel(from: source.layout)
    if case .buffer(let index) = source.place {
      buffers[index].last = max(buffers[index].last, step)
    }
    let target = newBuffer(shape.count * type.element.byteCount, first: step)
    steps.append(
      PendingStep(
        name: "\(graph[id].name) → \(layout)", operatorName: "LayoutConversion", kernel: kernel,
        operands: [source.place], outputs: [target], scratch: -1,
        traffic: Traffic(
          element: type.element, byteCount: 2 * shape.count * type.element.byteCount), made: []))
    held[id.index].append(Held(place: .buffer(target), layout: layout))
    return .buffer(target)
  }

  private func makeKernel(_ node: Node) throws(ModelError) -> PlannedKernel {
    let made = try made(by: node).map { id throws(ModelError) in (id, try concreteShape(of: id)) }
    return try during("planning node '\(node.name)' (\(type(of: node.op).name))") {
      () throws(ModelError) in
      for (id, shape) in made { try RunLimits.check(shape, of: graph.type(id).element) }
      return try makeKernel(node, node.outputs.map { graph.type($0) })
    }
  }

  private func makeKernel(_ node: Node, _ types: [TensorType]) throws(ModelError) -> PlannedKernel {
    var operands: [KernelRequest.Operand?] = []
    for input in node.inputs {
      guard let input else {
        operands.append(nil)
        continue
      }
      let fact = graph.fact(input)
      if !(node.op is any PackingOperator) { try fact.constant?.load() }
      guard let shape = fact.type.shape else {
        throw ModelError(.unknownShape, "the shape of '\(graph[input].name)' depends on data")
      }
      operands.append(
        KernelRequest.Operand(
          fact: fact, shape: shape, layout: held[input.index].first?.layout ?? .rowMajor))
    }
    let request = KernelRequest(
      operands: Operands(operands), outputs: types,
      stored: node.outputs.first.flatMap { storedAs[$0] }?.request,
      preferredLayout: node.outputs.first.map { preferred[$0.index] } ?? .rowMajor,
      tier: options.tier, matrices: matrices, isExact: isExact,
      threads: options.threads)
    if request.touchesIntegers {
      if let planned = node.op as? any IntegerPlannedOperator,
        let kernel = try planned.integerKernel(request)
      {
        return kernel
      }
      // An operator that moves integers moves them with the kernel that moves anything.
      if node.op is any MovingOperator, let planned = node.op as? any PlannedOperator,
        let kernel = try planned.kernel(request)
      {
        return kernel
      }
    } else if let holder = node.op as? any GraphOperator {
      var inner = options
      inner.profile = isExact ? .exact : .fast
      return InnerRunners.kernel(
        node, holder, operandTypes: operands.map { $0?.fact.type },
        constants: operands.map { $0?.fact.constant }, outputs: types, options: inner)
    } else if let planned = node.op as? any PlannedOperator,
      let kernel = try planned.kernel(request)
    {
      return kernel
    }
    return ReferenceKernel.kernel(
      node, operandTypes: operands.map { $0?.fact.type },
      constants: operands.map { $0?.fact.constant },
      outputs: types, quantizations: graph.quantizations(of: node))
  }

  mutating func plan() throws(ModelError) -> Plan {
    var outputPlaces: [(Place, TensorType, Shape)] = []
    for port in graph.outputs {
      try graph.constant(port.value)?.load()
      let place = try place(of: port.value, in: .rowMajor)
      guard let shape = graph.type(port.value).shape else {
        throw ModelError(.unknownShape, "the shape of output '\(port.name)' depends on data")
      }
      outputPlaces.append((place, graph.type(port.value), shape))
    }
    // Conversions of outputs are steps too, so only now is the last one known.
    for (place, _, _) in outputPlaces {
      if case .buffer(let index) = place { buffers[index].last = steps.count }
    }
    let requests = buffers.map {
      Arena.Request(byteCount: $0.byteCount, first: $0.first, last: $0.last)
    }
    let (offsets, byteCount) = Arena.place(requests)
    guard byteCount <= RunLimits.planBytes else {
      throw ModelError(
        .limitExceeded,
        "RL2: the plan takes \(byteCount) bytes, above \(RunLimits.planBytes >> 30) GiB")
    }
    func location(_ place: Place) -> Plan.Location {
      switch place {
      case .buffer(let index): .arena(offsets[index])
      case .constant(let tensor): .constant(tensor)
      case .absent: .absent
      }
    }
    let planned = steps.map { step in
      Plan.Step(
        name: step.name, operatorName: step.operatorName, kernel: step.kernel,
        operands: step.operands.map(location), outputs: step.outputs.map { offsets[$0] },
        scratch: step.scratch >= 0 ? offsets[step.scratch] : 0, traffic: step.traffic,
        made: zip(step.made, step.outputs).map { made, buffer in
          Plan.Made(
            original: made.original, type: made.type, shape: made.shape, layout: made.layout,
            offset: offsets[buffer])
        })
    }
    return Plan(
      steps: planned, inputOffsets: inputBuffers.map { offsets[$0] },
      inputTypes: graph.inputs.map { graph.type($0.value) },
      outputs: outputPlaces.map {
        Plan.Output(location: location($0.0), type: $0.1, shape: $0.2)
      },
      arenaByteCount: byteCount,
      liveByteCount: Arena.liveByteCount(requests, steps: steps.count), options: options)
  }
}
