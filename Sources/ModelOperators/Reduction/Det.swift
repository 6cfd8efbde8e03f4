import ModelIR
import TensorCore

/// The determinant of each square matrix, by elimination with the greatest pivot. ONNX Det 11–22.
package struct Det: Operator {
  package static let name = "Det"
  package init() {}

  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    guard x.element.isFloatingPoint else {
      throw ModelError(.typeMismatch, "DT1: Det of \(x.element); it needs a float type")
    }
    let dimensions = try x.dimensions()
    guard dimensions.count >= 2 else {
      throw ModelError(.shapeMismatch, "DT2: Det of rank \(dimensions.count)")
    }
    let (rows, columns) = (dimensions[dimensions.count - 2], dimensions[dimensions.count - 1])
    if let rows = rows.value, let columns = columns.value, rows != columns {
      throw ModelError(.shapeMismatch, "DT2: \(rows)×\(columns) is not square")
    }
    return [x.type.with(dimensions: Array(dimensions.dropLast(2)))]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let order = x.shape[x.shape.rank - 1]
    let shape = try Shape(x.shape.dimensions.dropLast(2))
    let values = x.doubles()
    return [
      Tensor(
        x.element, shape,
        doubles: (0..<shape.count).map {
          Det.determinant(Array(values[$0 * order * order..<($0 + 1) * order * order]), order)
        })
    ]
  }

  private static func determinant(_ matrix: [Double], _ order: Int) -> Double {
    var rows = (0..<order).map { Array(matrix[$0 * order..<($0 + 1) * order]) }
    var result = 1.0
    for column in 0..<order {
      var pivot = column
      for row in column..<order where abs(rows[row][column]) > abs(rows[pivot][column]) {
        pivot = row
      }
      if rows[pivot][column] == 0 { return 0 }
      if pivot != column {
        rows.swapAt(pivot, column)
        result = -result
      }
      result *= rows[column][column]
      for row in column + 1..<order {
        let factor = rows[row][column] / rows[column][column]
        for index in column..<order { rows[row][index] -= factor * rows[column][index] }
      }
    }
    return result
  }
}

extension Det: ImportableOperator {
  package static let importers = [Importer("Det", 11...newestOpset) { _ in Det() }]
}
