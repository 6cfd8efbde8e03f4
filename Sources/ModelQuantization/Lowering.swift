import ModelIR
import ModelOperators
import TensorCore

/// Builds the integer form of a float graph: int8 activations and weights where ``FormPlan`` says so,
/// with conversions wherever integers and floats meet, each made once.
struct Lowering {
  let source: Graph
  let forms: FormPlan
  private let ranges: [ValueID: ValueRange]
  let rounding: WeightRounding
  /// Of layers whose weights make up for each other.
  private let adaptive: AdaptiveRoundings
  private let noise: WeightNoise
  private let shared: SharedWeights
  /// Of layers whose weights have fewer bits than eight.
  private let grid: @Sendable (_ layer: String) -> WeightGrid?
  private let means: [ValueID: ChannelMeans]
  /// The range of each value that a wide layer reads, and its halves once they are made.
  let wideRanges: [ValueID: ValueRange]
  var halves: [ValueID: (high: ValueID, low: ValueID)] = [:]
  /// The int8 form of each table that floats read, once it is made.
  var tables: [ValueID: ValueID] = [:]
  var target = Graph()
  /// The float32 and the int8 form of each value of the source, as far as they exist.
  var floats: [ValueID?]
  var integers: [ValueID?]
  private(set) var layers: [QuantizationRecord.Layer] = []
  var activations: [QuantizationRecord.Activation] = []

  /// - Parameters:
  ///   - means: channel means of what layers read, by which biases are corrected.
  ///   - wideRanges: ranges of what layers read at 16 bits.
  init(
    _ source: Graph, forms: FormPlan, ranges: [ValueID: ValueRange], rounding: WeightRounding,
    adaptive: AdaptiveRoundings = AdaptiveRoundings([:]),
    noise: WeightNoise, means: [ValueID: ChannelMeans], wideRanges: [ValueID: ValueRange] = [:],
    grid: @escaping @Sendable (_ layer: String) -> WeightGrid? = { _ in nil }
  ) {
    self.grid = grid
    self.wideRanges = wideRanges
    self.source = source
    self.rounding = rounding
    self.adaptive = adaptive
    self.noise = noise
    shared = SharedWeights(source)
    self.means = means
    self.forms = forms
    self.ranges = ranges
    floats = [ValueID?](repeating: nil, count: source.values.count)
    integers = floats
    target.metadata = source.metadata
  }

  /// The integer graph, with the same inputs and outputs.
  mutating func lower() throws(ModelError) -> Graph {
    for port in source.inputs {
      floats[port.value.index] = try target.addInput(port.name, source.type(port.value))
    }
    for (index, node) in source.nodes.enumerated() {
      var reason = forms.isInteger(index) ? nil : forms.floatReasons[index]
      if reason == nil {
        do { try appendInteger(node) } catch  where error.code == .notQuantizable {
          reason = FloatReason(
            error.message, change: "weights and ranges of a magnitude that scales can have")
        }
      }
      if reason != nil { try appendFloat(node) }
      let wideReason = reason == nil ? forms.wideReason(node) : nil
      layers.append(
        QuantizationRecord.Layer(
          name: node.name, operatorName: type(of: node.op).name, floatReason: reason?.text,
          floatChange: reason?.change, activationBits: wideReason.map { _ in 16 },
          wideReason: wideReason))
    }
    for port in source.outputs { try target.addOutput(port.name, asFloat(port.value)) }
    return try target.withoutDeadCode()
  }

  // MARK: Forms of a value

  mutating func asFloat(_ id: ValueID) throws(ModelError) -> ValueID {
    if let existing = floats[id.index] { return existing }
    let name = source[id].name
    let made: ValueID
    if forms.tables.axis(id) != nil {
      made = try target.appendOne(Dequantize(), named: "\(name).float", to: [try rows(of: id)])
    } else if let constant = source.constant(id) {
      made = target.addConstant(constant, named: name)
    } else if let integer = integers[id.index] {
      made = try target.appendOne(Dequantize(), named: "\(name).float", to: [integer])
    } else {
      throw ModelError(.invalidGraph, "'\(name)' is read before it is made")
    }
    floats[id.index] = made
    return made
  }

  mutating func asInteger(_ id: ValueID) throws(ModelError) -> ValueID {
    if let existing = integers[id.index] { return existing }
    let name = source[id].name
    let made: ValueID
    if let constant = source.constant(id) {
      let parameters = ValueRange(
        lower: constant.floats().min() ?? 0, upper: constant.floats().max() ?? 0
      ).parameters
      let stored = Tensor(
        constant.shape, constant.floats().map { IntegerArithmetic.quantize($0, parameters) },
        quantization: parameters)
      made = target.addConstant(stored, named: "\(name).int8")
    } else {
      let operand = try asFloat(id)
      made = try target.appendOne(
        Quantize(), named: "\(name).int8", to: [operand], quantizedAs: try parameters(of: id))
    }
    integers[id.index] = made
    return made
  }

  mutating func parameters(of id: ValueID) throws(ModelError) -> QuantizationParameters {
    guard let range = ranges[id] else {
      throw ModelError(.notQuantizable, "the range of '\(source[id].name)' is not known")
    }
    let parameters = range.parameters
    activations.append(
      QuantizationRecord.Activation(
        name: source[id].name, lower: range.lower, upper: range.upper, scale: parameters.scale,
        zeroPoint: parameters.zeroPoint))
    return parameters
  }

  // MARK: Nodes

  private mutating func appendFloat(_ node: Node) throws(ModelError) {
    var operands: [ValueID?] = []
    for input in node.inputs {
      if let input { operands.append(try asFloat(input)) } else { operands.append(nil) }
    }
    let made = try target.append(
      node.op, named: node.name, to: operands, origin: node.origin,
      outputNames: node.outputs.map { source[$0].name })
    for (old, id) in zip(node.outputs, made) { floats[old.index] = id }
  }

  private mutating func appendInteger(_ node: Node) throws(ModelError) {
    if forms.isWide(node) {
      try appendWide(node)
    } else if let weighted = node.op as? any WeightedOperator {
      try appendWeighted(node, weighted)
    } else if let recurrent = node.op as? any IntegerRecurrentOperator {
      try appendRecurrent(node, recurrent)
    } else if node.op is MemoryRead {
      try appendMemory(node)
    } else if forms.tables.isLookup(node), !forms.isReadAsIntegersOnly(node.outputs[0]) {
      try appendLookup(node)
    } else if let unary = node.op as? any UnaryOperator, !(node.op is any IntegerOperator) {
      try appendTable(node, unary)
    } else {
      try appendTransparent(node)
    }
  }

  /// A layer with weights: int8 or float32 out, whichever its readers take.
  private mutating func appendWeighted(
    _ node: Node, _ op: any WeightedOperator
  ) throws(ModelError) {
    let output = node.outputs[0]
    guard let first = node.inputs[0] else { throw ModelError(.invalidGraph, "no operand") }
    let addsFloats = forms.addsFloats(node)
    let isInteger = forms.isWantedAsInteger(output) && !addsFloats
    var operands = try weighing(try asInteger(first), node, op)
    if node.inputs.count > 3 {
      if let residual = node.inputs[3] {
        let floatAlready =
          addsFloats || integers[residual.index] == nil && floats[residual.index] != nil
        operands.append(
          !isInteger && floatAlready ? try asFloat(residual) : try asInteger(residual))
      } else {
        operands.append(nil)
      }
    }
    if node.inputs.count > 4 {
      if let slope = node.inputs[4] {
        operands.append(try asFloat(slope))
      } else {
        operands.append(nil)
      }
    }
    let made = try target.append(
      op, named: node.name, to: operands, origin: node.origin,
      outputNames: [source[output].name],
      quantizedAs: isInteger ? [try parameters(of: output)] : [])
    if isInteger { integers[output.index] = made[0] } else { floats[output.index] = made[0] }
  }

  /// The operand `x` of a layer, its weights, and its bias where it has one.
  mutating func weighing(
    _ x: ValueID, _ node: Node, _ op: any WeightedOperator
  ) throws(ModelError) -> [ValueID?] {
    guard let first = node.inputs[0], let weightID = node.inputs[1],
      let weight = source.constant(weightID)
    else { throw ModelError(.notQuantizable, "its weights are not constant") }
    guard let input = target.type(x).quantization else {
      throw ModelError(.invalidGraph, "'\(source[first].name)' lost its parameters")
    }
    var bias = node.inputs.count > 2 ? node.inputs[2].flatMap { source.constant($0) } : nil
    let alike = shared.firstLayer(like: node)
    let stored = WeightQuantization.weights(
      weight, axis: op.weightChannelAxis, bias: bias, input: input, rounding: rounding,
      coarsest: noise.steps[alike], grid: grid(node.name), adaptive: adaptive[alike])
    var operands: [ValueID?] = [
      x, target.addConstant(stored, named: source[weightID].name),
    ]
    if rounding.correctsBiases, let own = means[first] {
      let correction = BiasCorrection(op: op, weight: weight, stored: stored, means: own)
      bias = try correction.corrected(bias) ?? bias
    }
    let name =
      node.inputs.count > 2 ? node.inputs[2].map { source[$0].name } : nil
    if let bias, let scales = stored.quantization?.scales {
      let integers = try WeightQuantization.bias(bias, weightScales: scales, input: input)
      operands.append(target.addConstant(integers, named: name ?? "\(node.name).bias"))
    } else if node.inputs.count > 2 {
      operands.append(nil)
    }
    return operands
  }

  /// A recurrent layer: int8 weights for input and state, everything else float32 (`Q42`).
  private mutating func appendRecurrent(
    _ node: Node, _ op: any IntegerRecurrentOperator
  ) throws(ModelError) {
    guard let first = node.inputs[0] else { throw ModelError(.invalidGraph, "no operand") }
    let x = try asInteger(first)
    guard let input = target.type(x).quantization else {
      throw ModelError(.invalidGraph, "'\(source[first].name)' lost its parameters")
    }
    var operands: [ValueID?] = [x]
    for (index, operand) in node.inputs.enumerated().dropFirst() {
      guard let operand else {
        operands.append(nil)
        continue
      }
      if index <= 2, let weight = source.constant(operand) {
        let stored = WeightQuantization.weights(
          weight, axis: 1, bias: nil, input: input, rounding: rounding, grid: grid(node.name))
        operands.append(target.addConstant(stored, named: source[operand].name))
      } else {
        operands.append(try asFloat(operand))
      }
    }
    let output = node.outputs[0]
    let isInteger = forms.isWantedAsInteger(output)
    var op = op
    op.recurrence.roundsActivations = false
    let made = try target.append(
      op, named: node.name, to: operands, origin: node.origin,
      outputNames: node.outputs.map { source[$0].name },
      quantizedAs: isInteger ? [try parameters(of: output)] : [])
    for (index, (old, id)) in zip(node.outputs, made).enumerated() {
      if index == 0, isInteger { integers[old.index] = id } else { floats[old.index] = id }
    }
  }

  /// A function of one number as a table.
  private mutating func appendTable(_ node: Node, _ op: any UnaryOperator) throws(ModelError) {
    guard let first = node.inputs[0] else { throw ModelError(.invalidGraph, "no operand") }
    let output = node.outputs[0]
    let x = try asInteger(first)
    guard let from = target.type(x).quantization else {
      throw ModelError(.invalidGraph, "'\(source[first].name)' lost its parameters")
    }
    let to = try parameters(of: output)
    let table = LookupTable.table(from: from, to: to) { op.apply($0) }
    let id = target.addConstant(table, named: "\(node.name).table")
    integers[output.index] = try target.append(
      LookupTable(function: type(of: node.op).name), named: node.name, to: [x, id],
      origin: node.origin, outputNames: [source[output].name], quantizedAs: [to])[0]
  }

  /// An operator without weights that has an integer form of its own.
  private mutating func appendTransparent(_ node: Node) throws(ModelError) {
    let output = node.outputs[0]
    let data = Set(FormPlan.dataOperands(node, source))
    var operands: [ValueID?] = []
    for input in node.inputs {
      guard let input else {
        operands.append(nil)
        continue
      }
      operands.append(data.contains(input) ? try asInteger(input) : try asFloat(input))
    }
    // What only moves elements keeps their parameters.
    let moves = node.op is any MovingOperator && data.count == 1
    let inherited =
      moves ? operands.first.flatMap { $0 }.flatMap { target.type($0).quantization } : nil
    // A product writes float32 where nothing reads integers.
    var quantization = inherited
    let isInteger = !(node.op is MatMul) || forms.isWantedAsInteger(output)
    if quantization == nil, isInteger { quantization = try parameters(of: output) }
    let made = try target.append(
      node.op, named: node.name, to: operands, origin: node.origin,
      outputNames: [source[output].name], quantizedAs: [quantization])[0]
    if isInteger { integers[output.index] = made } else { floats[output.index] = made }
  }
}
