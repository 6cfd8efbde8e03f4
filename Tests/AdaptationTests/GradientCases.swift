import Foundation
import ModelIR
import ModelOperators
import OnnxFormat
import TensorCore
import Testing

/// An operator on operands of `golden/gradients/operators.npz`, whose gradients PyTorch gave.
struct GradientCase: Sendable, CustomTestStringConvertible {
  let name: String
  let op: any Operator
  /// How the operator's operands follow from the golden ones; those that are not golden are constants.
  let operands: @Sendable ([ValueID], inout Graph) throws(ModelError) -> [ValueID?]

  var testDescription: String { name }

  init(
    _ name: String, _ op: any Operator,
    operands: @escaping @Sendable ([ValueID], inout Graph) throws(ModelError) -> [ValueID?] = {
      (given, _) throws(ModelError) in given
    }
  ) {
    self.name = name
    self.op = op
    self.operands = operands
  }

  /// With vectors of integers after the golden operands.
  init(_ name: String, _ op: any Operator, integers: [Int]?...) {
    self.init(name, op) { (given, graph) throws(ModelError) in
      given
        + integers.map { list in
          list.map { graph.addConstant(Tensor(vector: $0.map { Int64($0) }), named: "list") }
        }
    }
  }

  static let all: [GradientCase] = elementwise + shapes + products + windows + normalisations

  private static let elementwise: [GradientCase] = [
    .init("abs", Abs()), .init("neg", Neg()), .init("exp", Exp()), .init("log", Log()),
    .init("sqrt", Sqrt()), .init("reciprocal", Reciprocal()), .init("sigmoid", Sigmoid()),
    .init("tanh", Tanh()), .init("softplus", Softplus()), .init("softsign", Softsign()),
    .init("sin", Sin()), .init("cos", Cos()), .init("erf", Erf()), .init("relu", Relu()),
    .init("leaky-relu", LeakyRelu(alpha: 0.1)), .init("elu", Elu(alpha: 0.7)),
    .init("hard-sigmoid", HardSigmoid(alpha: 0.25, beta: 0.4)), .init("swish", Swish()),
    .init("gelu", Gelu()), .init("gelu-tanh", Gelu(.tanh)), .init("prelu", PRelu()),
    .init("add", Add()), .init("sub", Sub()), .init("mul", Mul()), .init("div", Div()),
    .init("pow", Pow()), .init("sum", Sum()), .init("mean", Mean()), .init("max", Max()),
    .init("min", Min()),
    .init("hard-swish", HardSwish()) { (given, graph) throws(ModelError) in
      let four = graph.addConstant(
        Tensor.filled(graph.type(given[0]).element, .scalar, with: 4), named: "four")
      return [try graph.appendOne(Mul(), named: "scaled", to: [given[0], four])]
    },
    .init("clip", Clip()) { (given, graph) throws(ModelError) in
      given
        + [-0.5, 0.8].map {
          graph.addConstant(
            Tensor.filled(graph.type(given[0]).element, .scalar, with: $0), named: "limit")
        }
    },
    .init("where", Where()) { (given, graph) throws(ModelError) in
      let condition = Tensor(try Shape([2, 3, 4]), (0..<24).map { $0 % 3 == 0 })
      return [graph.addConstant(condition, named: "condition")] + given
    },
  ]

  private static let shapes: [GradientCase] = [
    .init("identity", Identity()), .init("reshape", Reshape(), integers: [5, 6]),
    .init("flatten", Flatten()), .init("squeeze", Squeeze(), integers: [1]),
    .init("unsqueeze", Unsqueeze(), integers: [1]), .init("transpose", Transpose([2, 0, 1])),
    .init("expand", Expand(), integers: [2, 3, 4]), .init("tile", Tile(), integers: [2, 1, 3]),
    .init("slice", Slice(), integers: [1, 1], [3, 100], [1, 2]),
    .init("slice-steps", Slice(), integers: [-1], [-100], [2], [-2]),
    .init("gather", Gather(axis: 1), integers: [2, 0, 2]),
    .init("gather-none", Gather()) { (given, graph) throws(ModelError) in
      given + [graph.addConstant(Tensor(scalar: Int64(1)), named: "index")]
    },
    .init("concat", Concat(axis: 1)),
    .init("depth-to-space", DepthToSpace(block: 2, mode: .depthFirst)),
    .init("space-to-depth", SpaceToDepth(block: 2, mode: .depthFirst)),
    .init("pad", Pad(), integers: [0, 0, 1, 0, 1, 2]),
    .init("pad-crop", Pad(), integers: [0, 0, -1, 0, 0, 2]),
    .init("pad-reflect", Pad(.reflect), integers: [0, 0, 1, 2, 0, 0, 2, 1]),
    .init("pad-edge", Pad(.edge), integers: [0, 0, 1, 2, 0, 0, 2, 1]),
    .init("reduce-sum", without(ReduceSum()), integers: [0, 2]),
    .init("reduce-mean", ReduceMean(), integers: [1]),
    .init("reduce-l1", without(ReduceL1()), integers: [2]),
    .init("reduce-l2", without(ReduceL2()), integers: [1]),
    .init("reduce-sum-square", without(ReduceSumSquare()), integers: [1, 2]),
    .init("reduce-log-sum", without(ReduceLogSum()), integers: [1]),
    .init("reduce-log-sum-exp", without(ReduceLogSumExp()), integers: [2]),
    .init("reduce-max", without(ReduceMax()), integers: [1]),
    .init("reduce-min", ReduceMin(), integers: [0, 2]),
    .init("resize-down", Resize(.linear)) { (given, graph) throws(ModelError) in
      given + [
        nil, graph.addConstant(Tensor(vector: [1, 1, 0.5, 0.5] as [Float]), named: "scales"),
      ]
    },
    .init("resize-up", Resize(.linear), integers: nil, nil, [1, 2, 7, 9]),
    .init("resize-nearest", Resize(.nearest, coordinates: .asymmetric, nearest: .floor)) {
      (given, graph) throws(ModelError) in
      given + [nil, graph.addConstant(Tensor(vector: [1, 1, 2, 2] as [Float]), named: "scales")]
    },
  ]

  private static let products: [GradientCase] = [
    .init("matmul", MatMul()), .init("matmul-vectors", MatMul()), .init("matmul-column", MatMul()),
    .init("gemm-nn", Gemm(alpha: 0.5, beta: 2)),
    .init("gemm-nt", Gemm(transposeB: true, alpha: 0.5, beta: 2)),
    .init("gemm-tn", Gemm(transposeA: true, alpha: 0.5, beta: 2)),
    .init("gemm-tt", Gemm(transposeA: true, transposeB: true, alpha: 0.5, beta: 2)),
    .init("gemm-relu", Gemm(epilogue: Epilogue(.relu))),
    .init("linear", Linear(transposeWeight: true, epilogue: Epilogue(.tanh))),
    .init("linear-gelu", Linear(transposeWeight: false, epilogue: Epilogue(.gelu))),
  ]

  private static let same = Window(pads: [1, 1, 1, 1])

  private static let windows: [GradientCase] = [
    .init("conv", Convolution(window: same)),
    .init(
      "conv-strided",
      Convolution(
        groups: 2, window: Window(strides: [2, 3], dilations: [2, 1], pads: [1, 0, 1, 0]))),
    .init("conv-uneven", Convolution(window: Window(strides: [2, 2], pads: [1, 0, 0, 1]))),
    .init("conv-depthwise", Convolution(groups: 3, window: same)),
    .init("conv-1d", Convolution(window: Window(dilations: [2]))),
    .init("conv-3d", Convolution(window: Window(pads: [1, 1, 1, 1, 1, 1]))),
    .init("conv-fused", Convolution(window: same, epilogue: Epilogue(.relu))),
    .init("conv-prelu", Convolution(window: same, epilogue: Epilogue(.prelu))) {
      (given, _) throws(ModelError) in Array(given[..<3]) + [nil, given[3]]
    },
    .init("conv-silu", Convolution(epilogue: Epilogue(.silu))),
    .init("conv-clip", Convolution(epilogue: Epilogue(.clip, lower: -1, upper: 2))),
    .init(
      "conv-transpose",
      TransposedConvolution(
        window: Window(strides: [2, 2], pads: [1, 1, 1, 1]), outputPadding: [1, 1])),
    .init(
      "conv-transpose-groups",
      TransposedConvolution(groups: 2, window: Window(strides: [3, 1], dilations: [1, 2]))),
    .init(
      "average-pool",
      AveragePool(kernel: [3, 3], window: Window(strides: [2, 2], pads: [1, 1, 1, 1]))),
    .init(
      "average-pool-counted",
      AveragePool(
        kernel: [2, 3], window: Window(strides: [2, 2], pads: [1, 1, 1, 1]), countsPadding: true)),
    .init(
      "max-pool", MaxPool(kernel: [3, 3], window: Window(strides: [2, 2], pads: [1, 1, 1, 1]))),
    .init("global-average-pool", GlobalAveragePool()), .init("global-max-pool", GlobalMaxPool()),
  ]

  private static let normalisations: [GradientCase] = [
    .init("softmax", Softmax(axis: 1)), .init("log-softmax", LogSoftmax(axis: 2)),
    .init("normalize-l2", NormalizeL2(axis: 1, epsilon: 1e-12)),
    .init("layer-normalization", LayerNormalization()),
    .init("rms-normalization", RMSNormalization()),
    .init("memory-read", MemoryRead(heads: 2, epsilon: 1e-12)),
    .init("instance-normalization", InstanceNormalization()),
    .init("group-normalization", GroupNormalization(groups: 2)),
    .init("batch-normalization", BatchNormalization(), operands: withStatistics),
    .init(
      "batch-normalization-training", BatchNormalization(epsilon: 1e-5, training: true),
      operands: withStatistics),
  ]

  private static func withStatistics(
    _ given: [ValueID], _ graph: inout Graph
  ) throws(ModelError) -> [ValueID?] {
    let element = graph.type(given[0]).element
    return given
      + [[0.1, -0.2, 0.3, 0], [0.5, 1.5, 1, 2]].map {
        graph.addConstant(Tensor(element, channels, doubles: $0), named: "statistics")
      }
  }

  private static let channels = Tensor(vector: [Float](repeating: 0, count: 4)).shape

  private static func without<Op: ReductionOperator>(_ op: Op) -> Op {
    var op = op
    op.keepDimensions = false
    return op
  }
}

/// The arrays of `golden/gradients/operators.npz`, by name.
struct GradientGoldens {
  private let arrays: [String: Tensor]

  init(_ name: String) throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../../golden/gradients/\(name).npz").standardized.path()
    arrays = Dictionary(
      try NumpyArchive.read(path: path).map { ($0.name, $0.tensor) }, uniquingKeysWith: { $1 })
  }

  func tensor(_ name: String) throws -> Tensor { try #require(arrays[name], "no array \(name)") }

  var cases: Set<String> {
    Set(arrays.keys.filter { $0.hasSuffix(".gradient") }.map { String($0.dropLast(9)) })
  }

  /// Operands of a case and the gradients by them.
  func operands(_ name: String) -> [(x: Tensor, gradient: Tensor)] {
    var all: [(x: Tensor, gradient: Tensor)] = []
    while let x = arrays["\(name).x\(all.count)"],
      let gradient = arrays["\(name).gradient\(all.count)"]
    { all.append((x, gradient)) }
    return all
  }
}
