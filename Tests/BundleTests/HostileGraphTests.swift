import Foundation
import ModelIR
import ModelOperators
import TensorCore
import Testing

/// Operators meet what a hostile bundle may say: extreme attributes, operands of any type, extents up to the
/// limit, indices of any value. They may refuse; they may not trap, hang or take memory without bound.
@Suite struct HostileGraphTests {
  @Test(arguments: allOperators.map { $0.name })
  func operatorsSurviveAnything(name: String) { Attack.run(name, trials: 60) }
}

/// Random applications of one operator.
struct Attack {
  private var numbers: RepeatableNumbers

  static func run(_ name: String, trials: Int) {
    guard let kind = allOperators.first(where: { $0.name == name }) else { return }
    for seed in 0..<trials {
      var attack = Attack(seed: UInt64(seed))
      attack.apply(kind)
    }
  }

  private init(seed: UInt64) { numbers = RepeatableNumbers(seed: seed) }

  private mutating func next(_ bound: Int) -> Int {
    Int.random(in: 0..<bound, using: &numbers)
  }
  private mutating func pick<T>(_ list: [T]) -> T { list[next(list.count)] }

  private mutating func integer() -> Int {
    next(3) > 0
      ? next(7) - 2
      : pick([
        Int(Int32.max), Int(Int32.min), 255, 1 << 30, -(1 << 30), 17, 64, 1 << 16, -17,
      ])
  }

  /// A value of `default`'s kind.
  private mutating func attribute(like value: Attribute) -> Attribute {
    switch value {
    case .boolean: .boolean(next(2) == 0)
    case .integer: .integer(integer())
    case .float: .float(pick([0, -1, 1, .infinity, -.infinity, .nan, 1e-38, 3e38]))
    case .string: .string(pick(["", "bij,bjk->bik", "ii->", "...", "linear", "sum", "float32"]))
    case .integers: .integers((0..<next(6)).map { _ in integer() })
    case .floats: .floats((0..<next(4)).map { _ in pick([0, -1, .nan, .infinity, 2]) })
    case .strings: .strings((0..<next(4)).map { _ in pick(["", "Tanh", "Sigmoid", "x"]) })
    case .tensor: .tensor(tensor(pick(ElementType.allCases)))
    case .graph: .graph(innerGraph())
    case .none: pick([.none, .integer(integer()), .integers([integer(), integer()]), .float(1)])
    }
  }

  /// A small graph of any number of inputs and outputs.
  private mutating func innerGraph() -> Graph {
    var graph = Graph()
    var values: [ValueID] = []
    for index in 0..<next(5) {
      let element = pick([.float32, .int64, .bool, pick(ElementType.allCases)])
      let dimensions: [TensorCore.Dimension]? = pick([
        nil, [], [.unknown], [2], [.symbol("N")], [1, 3],
      ])
      if let id = try? graph.addInput("\(index)", TensorType(element, dimensions)) {
        values.append(id)
      }
    }
    values.append(graph.addConstant(tensor(pick(ElementType.allCases)), named: "c"))
    if next(2) == 0 { values.append(graph.addConstant(Tensor(scalar: false), named: "stop")) }
    for op in [Identity(), Relu(), Add()] as [any Operator] where next(2) == 0 {
      let operands = op is Add ? [pick(values), pick(values)] : [pick(values)]
      if let made = try? graph.append(op, named: "node", to: operands) { values += made }
    }
    for index in 0..<next(5) { try? graph.addOutput("\(index)", pick(values)) }
    return graph
  }

  private mutating func make<Op: Operator>(_: Op.Type) -> Op {
    var op = Op()
    for field in Op.fields where next(2) == 0 {
      try? field.set(&op, attribute(like: field.get(op)))
    }
    return op
  }

  private mutating func tensor(_ element: ElementType) -> Tensor {
    // Shapes, indices and pads are vectors.
    let rank = element == .int64 && next(2) == 0 ? 1 : next(5)
    let extents = (0..<rank).map { _ in pick([0, 1, 1, 2, 2, 3, 4, rank == 1 ? 70 : 2]) }
    let shape = (try? Shape(extents)) ?? .scalar
    if element.isInteger, next(3) == 0 {
      let hostile: [Int64] = [.max, .min, -1, 0, 1, 1 << 40, -(1 << 40), 1 << 62, 2]
      return Tensor(element, shape, integers: (0..<shape.count).map { _ in pick(hostile) })
    }
    return Tensor(element, shape, integers: (0..<shape.count).map { _ in Int64(next(6) - 1) })
  }

  private mutating func quantization(_ shape: [Int]) -> QuantizationParameters {
    if let axis = shape.indices.randomElement(using: &self), next(3) == 0, shape[axis] > 0 {
      return QuantizationParameters(
        perChannel: (0..<shape[axis]).map { _ in pick([0.5, 1e-30, 1e30, 0.01]) }, axis: axis)
    }
    return QuantizationParameters(
      scale: pick([0.5, 0.01, 1e-38, 3e38]), zeroPoint: Int32(next(256) - 128))
  }

  private mutating func type(_ element: ElementType) -> TensorType {
    if next(12) == 0 { return TensorType(element, nil) }
    let isHuge = next(3) == 0
    let huge: [TensorCore.Dimension] = [
      .fixed(1 << 12), .fixed(1 << 48), .symbol("N"), .unknown, 0, 1, .fixed((1 << 20) + 1),
    ]
    let small: [TensorCore.Dimension] = [1, 2, 3, 4, .symbol("N")]
    let dimensions = (0..<next(6)).map { _ in pick(isHuge ? huge : small) }
    // The parser refuses more elements than a shape may have.
    guard (try? Shape(dimensions.compactMap { $0.value })) != nil else {
      return TensorType(element, [])
    }
    return TensorType(element, dimensions)
  }

  private mutating func apply<Op: Operator>(_ kind: Op.Type) {
    var graph = Graph()
    var operands: [ValueID?] = []
    let shared = pick([.float32, .float32, .int64, pick(ElementType.allCases)] as [ElementType])
    for index in 0..<1 + next(next(3) == 0 ? 8 : 4) {
      let element = pick([shared, shared, .int64, pick(ElementType.allCases)])
      switch next(8) {
      case 0: operands.append(nil)
      case 1, 2, 3:
        var constant = tensor(element)
        if element == .int8 || element == .int32, next(2) == 0 {
          constant = constant.reading(as: quantization(constant.shape.dimensions))
        }
        operands.append(graph.addConstant(constant, named: "c\(index)"))
      default:
        var type = type(element)
        if next(4) == 0 {
          type = TensorType(
            .int8, type.dimensions,
            quantization: QuantizationParameters(scale: 0.5, zeroPoint: Int32(next(256) - 128)))
        }
        operands.append(try? graph.addInput("x\(index)", type))
      }
    }
    let op = make(kind)
    let quantizedAs = (0..<next(3)).map { _ in next(2) == 0 ? quantization([]) : nil }
    do {
      try graph.append(op, named: "n", to: operands, quantizedAs: quantizedAs)
    } catch { return }
    compute(graph)
  }

  /// Runs the plain forms where everything is small.
  private mutating func compute(_ graph: Graph) {
    let node = graph.nodes[0]
    var inputs: [Tensor?] = []
    for id in node.inputs {
      guard let id else {
        inputs.append(nil)
        continue
      }
      if let constant = graph.constant(id) {
        inputs.append(constant)
        continue
      }
      let type = graph.type(id)
      let extents = (type.dimensions ?? []).map { $0.value ?? 2 }
      guard let shape = try? Shape(extents), shape.count <= 4096 else { return }
      let hostile: [Int64] = [.max, .min, -1, 0, 1, 2, 1 << 40]
      let integers = (0..<shape.count).map { _ in next(4) == 0 ? pick(hostile) : Int64(next(4)) }
      inputs.append(
        Tensor(type.element, shape, integers: integers).reading(as: type.quantization))
    }
    let operands = Operands(inputs)
    // A loop may run for as long as it says.
    if node.op is Loop {
      guard let limit = operands.optional(0)?.integers().first, limit <= 8 else { return }
    }
    // What the executors do: types of the operands as they are, then the formula.
    guard let facts = try? operands.map({ (tensor) throws(ModelError) in Fact(tensor) }),
      let types = try? Graph.infer(
        node.op, facts, quantizedAs: graph.quantizations(of: node)),
      types.allSatisfy({ ($0.shape?.count ?? 0) <= 1 << 16 })
    else { return }
    let isQuantized = (types + facts.values.compactMap { $0?.type }).contains {
      $0.quantization != nil
    }
    if isQuantized {
      guard let integer = node.op as? any IntegerOperator, types.allSatisfy({ $0.shape != nil })
      else { return }
      _ = try? integer.integerReference(operands, types)
    } else {
      _ = try? node.op.reference(operands)
    }
  }
}

extension Attack: RandomNumberGenerator {
  mutating func next() -> UInt64 { UInt64(next(1 << 31)) << 32 | UInt64(next(1 << 31)) }
}
