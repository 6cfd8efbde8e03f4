import ModelIR
import TensorCore

/// The weights of com.microsoft MatMulNBits: for each of N columns, blocks of `block` steps of 2, 4 or 8 bits
/// along K, packed with the lowest bits first; a scale and perhaps a zero point for each block.
struct PackedMatrix {
  private let bits: Int
  private let block: Int
  private let columns: Int
  private let depth: Int
  private let packed: Tensor

  private var blocks: Int { (depth + block - 1) / block }
  /// Steps of fewer than eight bits are held one to a byte.
  private var element: ElementType { bits == 4 ? .uint4 : .uint8 }

  /// - Throws: `unsupported-feature` for a packing that is not read, `invalid-value` and `shape-mismatch` for
  ///   sizes that do not fit each other.
  init(_ node: ForeignNode, in graph: Graph) throws(ModelError) {
    bits = try node.attribute("bits", default: 4)
    block = try node.required(attribute: "block_size")
    columns = try node.required(attribute: "N")
    depth = try node.required(attribute: "K")
    guard [2, 4, 8].contains(bits) else {
      throw ModelError(.unsupportedFeature, "MatMulNBits of \(bits) bits; 2, 4 and 8 are read")
    }
    guard try node.attribute("weight_prepacked", default: 0) == 0, node.operand(4) == nil else {
      throw ModelError(
        .unsupportedFeature, "MatMulNBits with prepacked or reordered weights")
    }
    guard (16...1 << 16).contains(block), block & (block - 1) == 0, columns > 0, depth > 0,
      columns <= 1 << 31, depth <= 1 << 31
    else {
      throw ModelError(
        .invalidValue, "MatMulNBits of \(depth) × \(columns) in blocks of \(block)")
    }
    guard let weight = graph.constant(try node.required(1)) else {
      throw ModelError(.unsupportedFeature, "MatMulNBits whose weights are not constant")
    }
    packed = weight
    guard weight.element == .uint8,
      weight.count == columns * ((depth + block - 1) / block) * (block * bits / 8)
    else {
      throw ModelError(
        .shapeMismatch, "MatMulNBits: \(weight.type) does not hold \(depth) × \(columns) steps")
    }
  }

  /// Appends the matrix [K, N] that the steps stand for.
  func append(_ node: ForeignNode, to graph: inout Graph) throws(ModelError) -> ValueID {
    let steps = Tensor(
      element, try Shape([columns, depth]),
      writing: { target in
        unpack(packed.bytes, rows: columns, pitch: blocks * block * bits / 8, count: depth, target)
      })
    let shape = try Shape([columns, blocks])
    let scales = try graph.appendOne(
      Reshape(), named: "\(node.name).scales",
      to: [
        try node.required(2),
        node.constant(
          Tensor(vector: shape.dimensions.map { Int64($0) }), "scales.shape", in: &graph),
      ], origin: node.origin)
    var op = DequantizeLinear()
    op.axis = 1
    op.block = block
    let w = try graph.appendOne(
      op, named: "\(node.name).w",
      to: [
        node.constant(steps, "steps", in: &graph), scales,
        node.constant(try zeros(node, shape, in: graph), "zeros", in: &graph),
      ], origin: node.origin)
    return try graph.appendOne(
      Transpose([1, 0]), named: "\(node.name).matrix", to: [w], origin: node.origin)
  }

  /// One zero point for each block: operand 3, packed like the steps with each column starting at a byte, or
  /// half of the range.
  private func zeros(
    _ node: ForeignNode, _ shape: Shape, in graph: Graph
  ) throws(ModelError) -> Tensor {
    guard let id = node.operand(3) else {
      return Tensor(
        element, shape,
        integers: [Int64](repeating: 1 << (bits - 1), count: shape.count))
    }
    let pitch = (blocks * bits + 7) / 8
    guard let given = graph.constant(id), given.element == .uint8, given.count == columns * pitch
    else {
      throw ModelError(
        .unsupportedFeature,
        "MatMulNBits with zero points of \(graph.type(id)); packed constant ones are read")
    }
    return Tensor(
      element, shape,
      writing: { unpack(given.bytes, rows: columns, pitch: pitch, count: blocks, $0) })
  }

  private func unpack(
    _ source: UnsafeRawBufferPointer, rows: Int, pitch: Int, count: Int,
    _ target: UnsafeMutableRawBufferPointer
  ) {
    let perByte = 8 / bits
    let mask = UInt8(truncatingIfNeeded: (1 << bits) - 1)
    for row in 0..<rows {
      for index in 0..<count {
        let byte = source[row * pitch + index / perByte]
        target[row * count + index] = byte >> UInt8(index % perByte * bits) & mask
      }
    }
  }
}
