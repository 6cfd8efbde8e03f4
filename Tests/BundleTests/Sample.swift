import Foundation
import ModelBundle
import ModelIR
import ModelOperators
import TensorCore

/// The bundle that most tests are about: two graphs that share a tensor, quantized constants, a golden
/// case, records.
enum Sample {
  static let operators = allOperators

  static func contents() throws -> BundleContents {
    var main = Graph()
    main.metadata["producer"] = "by hand"
    let x = try main.addInput("x", TensorType(.float32, [.symbol("N"), 4]))
    let bias = Tensor(try Shape([4]), [0.5, -1, 0, 2] as [Float])
    let b = main.addConstant(bias, named: "encoder/bias")
    let sum = try main.appendOne(Add(), named: "/encoder/Add", to: [x, b], origin: "encoder")
    let relu = try main.appendOne(Relu(), named: "relu", to: [sum])
    let y = try main.appendOne(Softmax(axis: 1), named: "y", to: [relu])
    try main.addOutput("y", y)

    var bank = Graph()
    let query = try bank.addInput("query", TensorType(.float32, [4]))
    let same = bank.addConstant(
      Tensor(bias.element, bias.shape, doubles: bias.doubles()), named: "b")
    let perChannel = QuantizationParameters(perChannel: [0.1, 0.25], axis: 0)
    _ = bank.addConstant(
      Tensor(try Shape([2, 3]), [1, -127, 3, 4, 5, 127] as [Int8], quantization: perChannel),
      named: "w")
    _ = bank.addConstant(
      Tensor(vector: (0..<40_000).map { Int16(truncatingIfNeeded: $0 / 64) }), named: "large")
    let weighed = bank.addConstant(
      Tensor(
        try Shape([4]), [1, 2, 3, 4] as [Int8],
        quantization: QuantizationParameters(scale: 0.5, zeroPoint: -3)), named: "q")
    let shape = bank.addConstant(Tensor(vector: [2, 2] as [Int64]), named: "shape")
    let moved = try bank.appendOne(
      Reshape(), named: "moved", to: [weighed, shape],
      quantizedAs: QuantizationParameters(scale: 0.5, zeroPoint: -3))
    try bank.addOutput("sum", try bank.appendOne(Add(), named: "add", to: [query, same]))
    try bank.addOutput("moved", moved)

    let input = Tensor(try Shape([2, 4]), [1, 2, 3, 4, -1, -2, -3, -4] as [Float])
    let output = Tensor(try Shape([2, 4]), [Float](repeating: 0.25, count: 8))
    return BundleContents(
      graphs: [.init("main", main), .init("bank", bank)],
      manifest: BundleManifest(
        tool: "maquette 1", profile: "int8", family: "audio-lip-memory",
        sources: [.init(name: "model.onnx", sha256: Digest(of: [1, 2, 3]), byteCount: 3)],
        options: ["rounding": "nearest"]),
      records: [
        "calibration": ["ranges": [["value": "relu", "lower": .number(-0.5), "upper": 2]]],
        "family": ["slots": 96],
      ],
      goldens: [
        StoredGolden(
          name: "typical", inputs: [.init("x", input)], outputs: [.init("y", output)],
          digests: [.init("y", Digest(of: output))], layers: [.init("relu", Digest(of: input))])
      ])
  }

  /// Two graphs of which one feeds the other: version 2.
  static func joined() throws -> BundleContents {
    var contents = try contents()
    var front = Graph()
    let x = try front.addInput("x", TensorType(.float32, [4]))
    try front.addOutput("y", try front.appendOne(Relu(), named: "y", to: [x]))
    try front.addOutput("z", try front.appendOne(Tanh(), named: "z", to: [x]))
    contents.graphs = [.init("front", front)] + contents.graphs.filter { $0.name == "bank" }
    contents.goldens = []
    contents.join = BundleJoin(
      family: "sample",
      parts: [.init(graph: "front", role: "front"), .init(graph: "bank", role: "bank")],
      links: [.init(from: .init("front", "y"), to: .init("bank", "query"))],
      settings: ["words": ["yes", "no"]])
    return contents
  }

  /// Weights and biases that are long enough to be coded: version 3, without a join.
  static func coded() throws -> BundleContents {
    var contents = try contents()
    var graph = Graph()
    var state: UInt64 = 7
    /// Sums of four numbers of a generator, as wide as asked for.
    func bell(_ width: Int) -> Int {
      (0..<4).reduce(0) { sum, _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return sum + Int(state >> 33) % (2 * width + 1) - width
      }
    }
    func weights(_ dimensions: [Int], axis: Int, _ width: (Int) -> Int) throws -> Tensor {
      let shape = try Shape(dimensions)
      let inner = shape.count(axis + 1..<shape.rank)
      let scales = [Float](repeating: 0.5, count: dimensions[axis])
      return Tensor(
        shape,
        (0..<shape.count).map {
          Int8(clamping: bell(width($0 / inner % dimensions[axis])))
        }, quantization: QuantizationParameters(perChannel: scales, axis: axis))
    }
    let x = try graph.addInput("x", TensorType(.float32, [4]))
    _ = graph.addConstant(try weights([24, 304, 3, 3], axis: 0) { 2 + $0 }, named: "wide")
    _ = graph.addConstant(try weights([16, 12, 4, 4], axis: 1) { $0 * 3 }, named: "transposed")
    _ = graph.addConstant(try weights([16, 40], axis: 1) { _ in 32 }, named: "linear")
    _ = graph.addConstant(
      Tensor(
        .int4, try Shape([64]),
        writing: { bytes in
          for index in bytes.indices { bytes[index] = UInt8(bitPattern: Int8(index % 16) - 8) }
        }), named: "nibbles")
    _ = graph.addConstant(
      Tensor(vector: (0..<20_000).map { _ in Float(bell(1 << 22)) * 0x1p-12 }), named: "bias")
    _ = graph.addConstant(
      Tensor(vector: (0..<3000).map { _ in Int32(bell(100_000)) }), named: "sums")
    try graph.addOutput("y", try graph.appendOne(Relu(), named: "y", to: [x]))
    contents.graphs = [.init("main", graph)]
    contents.goldens = []
    return contents
  }

  /// Weights of four bits in groups of 32, among others: version 4.
  static func grouped() throws -> BundleContents {
    var contents = try coded()
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [4]))
    var state: UInt64 = 11
    for (name, dimensions, axis) in [
      ("grouped", [8, 30, 3, 3], 0), ("turned", [20, 6, 4], 1), ("small", [5, 7], 0),
    ] {
      let shape = try Shape(dimensions)
      let inner = shape.count(axis + 1..<shape.rank)
      var seen = [Int](repeating: 0, count: shape[axis])
      let values = (0..<shape.count).map { index in
        let channel = index / inner % shape[axis]
        defer { seen[channel] += 1 }
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        // Multipliers of 3 to 18, quotients of −7…7.
        return Int8((seen[channel] / 32 * 5 + channel) % 16 + 3) * Int8(Int(state >> 33) % 15 - 7)
      }
      _ = graph.addConstant(
        Tensor(
          shape, values,
          quantization: QuantizationParameters(
            perChannel: [Float](repeating: 0.5, count: shape[axis]), axis: axis)), named: name)
    }
    try graph.addOutput("y", try graph.appendOne(Relu(), named: "y", to: [x]))
    contents.graphs = [.init("main", graph)]
    return contents
  }

  /// Layers whose scales are kept in a tensor, and those of biases as products: version 5.
  static func scaled() throws -> BundleContents {
    var contents = try contents()
    var graph = Graph()
    let input = QuantizationParameters(scale: 0.375, zeroPoint: 4)
    let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 4]))
    let q = try graph.appendOne(Quantize(), named: "q", to: [x], quantizedAs: input)
    var sums: [ValueID] = []
    for (layer, step) in [(0, 1), (1, 3)] {
      let scales = (0..<40).map { Float(($0 * step) % 7 + 1) * 0x1.8p-5 }
      let weights = graph.addConstant(
        Tensor(
          try Shape([40, 4]), (0..<160).map { Int8(truncatingIfNeeded: $0 * 37 + layer) },
          quantization: QuantizationParameters(perChannel: scales, axis: 0)), named: "w\(layer)")
      let bias = graph.addConstant(
        Tensor(
          try Shape([40]), (0..<40).map { Int32($0 * 1000 - 7) },
          quantization: QuantizationParameters(
            perChannel: scales.map { input.scale * $0 }, axis: 0)), named: "b\(layer)")
      sums.append(
        try graph.appendOne(
          Linear(transposeWeight: true), named: "layer\(layer)", to: [q, weights, bias]))
    }
    try graph.addOutput("y", try graph.appendOne(Add(), named: "y", to: [sums[0], sums[1]]))
    contents.graphs = [.init("main", graph)]
    contents.goldens = []
    return contents
  }

  /// Those layers with shapes and indices, which the text spells out, and more whole numbers than it does.
  static func shaped() throws -> BundleContents {
    var contents = try scaled()
    var graph = contents.graphs[0].graph
    for (name, numbers) in [
      ("shape", [-1, 0, Int64.max]), ("ones", [1, 1, 1, 1, 1]), ("none", []),
      ("many", Array(0..<9)),
    ] as [(String, [Int64])] {
      try graph.addOutput(name, graph.addConstant(Tensor(vector: numbers), named: name))
    }
    let index = graph.addConstant(Tensor(try Shape([]), [Int64.min] as [Int64]), named: "index")
    try graph.addOutput("index", index)
    contents.graphs = [.init("main", graph)]
    return contents
  }

  /// A memory of integers, and a bank that may take the place of its own.
  ///
  /// - Parameter keys: what keys are kept as.
  static func banked(
    scale: Float = 0.5, keys element: ElementType = .int8
  ) throws -> BundleContents {
    func integers(_ rows: Int, _ columns: Int, axis: Int, _ seed: Int, scale: Float) throws
      -> Tensor
    {
      let shape = try Shape([rows, columns])
      let parameters = QuantizationParameters(
        perChannel: [Float](repeating: scale, count: shape[axis]), axis: axis)
      let numbers = (0..<shape.count).map { Int64(truncatingIfNeeded: $0 * 37 + seed) }
      return Tensor(axis == 0 ? element : .int8, shape, integers: numbers).reading(as: parameters)
    }
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), 2]))
    let keys = graph.addConstant(try integers(3, 2, axis: 0, 1, scale: 0.25), named: "keys")
    let values = graph.addConstant(try integers(3, 4, axis: 1, 2, scale: 0.25), named: "values")
    let read = try graph.append(MemoryRead(), named: "read", to: [x, keys, values])
    try graph.addOutput("y", try graph.appendOne(Relu(), named: "y", to: [read[0]]))
    var contents = try contents()
    contents.graphs = [.init("main", graph)]
    contents.goldens = []
    contents.banks = StoredBanks(others: [
      StoredBank(
        name: "speaker",
        entries: [
          .init(
            graph: "main", memory: "read", keys: try integers(3, 2, axis: 0, 3, scale: scale),
            values: try integers(3, 4, axis: 1, 4, scale: 0.5))
        ])
    ])
    contents.bankTensors = [graph.constant(keys), graph.constant(values)].compactMap { $0 }
    return contents
  }

  /// Writes small bundles as versions 1 and 2, so that all versions have their tests.
  static func writer(
    signingKey: SigningKey? = nil, codedBytes: Int = 128 << 10, newestVersion: Int = 4
  ) -> BundleWriter {
    var writer = BundleWriter(signingKey: signingKey)
    writer.codedBytes = codedBytes
    writer.newestVersion = newestVersion
    return writer
  }

  static let root = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../..").standardized

  static func key() throws -> SigningKey {
    try SigningKey(text: String(repeating: "0123456789abcdef", count: 4))
  }
}
