import ModelIR
import ModelOperators
import TensorCore

/// Matrix products by a constant matrix as `Linear`, the one form that later passes and integer kernels know,
/// with one row of the weight for each output.
///
///     %1 = MatMul(%x, w[K×N])                    →    %1 = Linear(%x, wᵀ) transposeWeight
///     %1 = Gemm(%x, w[N×K], c) transposeB        →    %1 = Linear(%x, w · α, c · β) transposeWeight
///
/// Exact where α and β are 1 or powers of two; otherwise the scaled weights are rounded once. Left alone:
/// a transposed or constant left operand, and a `c` that varies along the rows.
package struct MakeLinear: Rewrite {
  package static let name = "make-linear"
  package init() {}

  package func replacement(
    for node: Node, at site: inout RewriteSite
  ) throws(ModelError) -> [ValueID]? {
    guard !site.isQuantized, let input = site.operand(0), site.graph.constant(input) == nil,
      let rank = site.graph.type(input).rank, rank >= 1,
      let weight = site.operand(1), let values = site.graph.constant(weight),
      values.element.isFloatingPoint, values.shape.rank == 2
    else { return nil }
    let name = site.graph[weight].name
    switch node.op {
    case is MatMul:
      let id = site.graph.addConstant(try values.transposedMatrix(), named: name)
      return try site.replace(node, by: Linear(transposeWeight: true), to: [input, id])
    case let op as Linear where !op.transposeWeight:
      let id = site.graph.addConstant(try values.transposedMatrix(), named: name)
      let turned = Linear(transposeWeight: true, epilogue: op.epilogue)
      return try site.replace(node, by: turned, to: setting(1, of: site.operands, to: id))
    case let op as Gemm where !op.transposeA:
      var matrix = op.transposeB ? values : try values.transposedMatrix()
      let outputs = matrix.shape[0]
      var operands: [ValueID?] = [input, weight, nil, site.operand(3), site.operand(4)]
      if let c = site.operand(2) {
        guard let constant = site.graph.constant(c),
          let bias = constant.perChannel(rank: 2, axis: 1, channels: outputs)
        else { return nil }
        if op.beta == 1, constant.shape.rank == 1, constant.count == outputs {
          operands[2] = c
        } else {
          let scaled = Tensor(
            constant.element, try Shape([outputs]), doubles: bias.map { $0 * Double(op.beta) })
          operands[2] = site.graph.addConstant(scaled, named: site.graph[c].name)
        }
      }
      if op.alpha != 1 {
        matrix = try ChannelLayout(channels: 1, inner: matrix.count)
          .scale(matrix, by: [Double(op.alpha)])
      }
      if op.alpha != 1 || !op.transposeB {
        operands[1] = site.graph.addConstant(matrix, named: name)
      }
      return try site.replace(
        node, by: Linear(transposeWeight: true, epilogue: op.epilogue), to: trimmed(operands))
    default: return nil
    }
  }
}

extension Tensor {
  /// The transpose of a matrix.
  func transposedMatrix() throws(ModelError) -> Tensor {
    let (rows, columns) = (shape[0], shape[1])
    let width = element.byteCount
    return try Tensor(element, try Shape([columns, rows])) { target throws(ModelError) in
      guard width == 4 else {
        for row in 0..<rows {
          for column in 0..<columns {
            for byte in 0..<width {
              target[(column * rows + row) * width + byte] =
                bytes[(row * columns + column) * width + byte]
            }
          }
        }
        return
      }
      let from = bytes.bindMemory(to: UInt32.self)
      let to = target.bindMemory(to: UInt32.self)
      for row in 0..<rows {
        for column in 0..<columns { to[column * rows + row] = from[row * columns + column] }
      }
    }
  }
}
