import ModelIR
import TensorCore

/// Product of matrices in the last two axes, all other axes broadcasting; a vector on the left is a row,
/// one on the right a column, and its axis is left out of the result.
///
/// Clauses `MM1`… of `formats/operators.md`; ONNX MatMul 1–13.
package struct MatMul: Operator {
  package static let name = "MatMul"
  package init() {}
}

// MARK: - Types

extension MatMul {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    guard a.element == b.element, a.element != .bool else {
      throw ModelError(
        .typeMismatch, "MM1: product of \(a.element) and \(b.element); one numeric type needed")
    }
    return [
      TensorType(
        a.element,
        try MatMul.dimensions(a.dimensions(), b.dimensions()) { () throws(ModelError) in
          throw ModelError(.shapeMismatch, "MM2: product of \(a.type) and \(b.type)")
        })
    ]
  }

  /// The dimensions of a product; `reject` throws where there is none.
  static func dimensions(
    _ a: [Dimension], _ b: [Dimension], reject: () throws(ModelError) -> Never
  ) throws(ModelError) -> [Dimension] {
    guard !a.isEmpty, !b.isEmpty else { try reject() }
    let inner = b.count == 1 ? b[0] : b[b.count - 2]
    guard a[a.count - 1].mayEqual(inner) else { try reject() }
    var result = try broadcast(Array(a.dropLast(2)), Array(b.dropLast(2)))
    if a.count > 1 { result.append(a[a.count - 2]) }
    if b.count > 1 { result.append(b[b.count - 1]) }
    return result
  }
}

/// The many matrix products of one ``MatMul`` with concrete shapes.
package struct MatrixProducts: Sendable {
  package let m: Int
  package let n: Int
  package let k: Int
  package let shape: Shape
  /// First elements of the operands' matrices, one pair for each product.
  package let starts: [(a: Int, b: Int)]

  package init(_ a: Shape, _ b: Shape) throws(ModelError) {
    k = a[a.rank - 1]
    m = a.rank == 1 ? 1 : a[a.rank - 2]
    n = b.rank == 1 ? 1 : b[b.rank - 1]
    let left = try Shape(Array(a.dimensions.dropLast(2)))
    let right = try Shape(Array(b.dimensions.dropLast(2)))
    let outer = try Shape.broadcast(left, right)
    shape = try Shape(outer.dimensions + (a.rank == 1 ? [] : [m]) + (b.rank == 1 ? [] : [n]))
    let (rows, columns, depth) = (m, n, k)
    starts = pairs(left, right, outer).map { ($0 * rows * depth, $1 * depth * columns) }
  }
}

// MARK: - Reference

extension MatMul {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (a, b) = (try inputs.required(0), try inputs.required(1))
    let products = try MatrixProducts(a.shape, b.shape)
    let (m, n, k) = (products.m, products.n, products.k)
    if a.element.isInteger {
      let (x, y) = (a.integers(), b.integers())
      var result: [Int64] = []
      result.reserveCapacity(products.shape.count)
      for start in products.starts {
        for i in 0..<m {
          for j in 0..<n {
            var sum: Int64 = 0
            for p in 0..<k { sum &+= x[start.a + i * k + p] &* y[start.b + p * n + j] }
            result.append(sum)
          }
        }
      }
      return [Tensor(a.element, products.shape, integers: result)]
    }
    let (x, y) = (a.doubles(), b.doubles())
    var result: [Double] = []
    result.reserveCapacity(products.shape.count)
    for start in products.starts {
      for i in 0..<m {
        for j in 0..<n {
          var sum = 0.0
          for p in 0..<k { sum += x[start.a + i * k + p] * y[start.b + p * n + j] }
          result.append(sum)
        }
      }
    }
    return [Tensor(a.element, products.shape, doubles: result)]
  }
}

// MARK: - Import

extension MatMul: ImportableOperator {
  package static let importers =
    [Importer("MatMul", 1...newestOpset) { _ in MatMul() }] + integerImporters
    + quantizedImporters + fusedImporters
}
