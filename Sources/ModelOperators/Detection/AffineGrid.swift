import ModelIR
import TensorCore

/// A grid for ``GridSample``: the places of an image of `size`, moved by an affine map for each image.
///
/// Operands: theta [N, 2, 3] or [N, 3, 4], size (N, C, then the spatial extents). Clauses `AF1`… of
/// `formats/operators.md`; ONNX AffineGrid 20.
package struct AffineGrid: Operator {
  package static let name = "AffineGrid"
  package static let fields = [Field("alignCorners", \AffineGrid.alignCorners)]

  package var alignCorners = false

  package init() {}
  package init(alignCorners: Bool) { self.alignCorners = alignCorners }
}

extension AffineGrid {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (theta, size) = (try inputs.required(0), try inputs.required(1))
    guard theta.element.isFloatingPoint, size.element == .int64 else {
      throw ModelError(.typeMismatch, "AF1: maps of \(theta.element), a size of \(size.element)")
    }
    let maps = try theta.dimensions()
    guard maps.count == 3 else { throw ModelError(.shapeMismatch, "AF2: maps of \(theta.type)") }
    guard let extents = size.extents else {
      guard let rank = maps[1].value else {
        throw ModelError(.unknownShape, "the number of axes is not known")
      }
      return [
        TensorType(
          theta.element, [maps[0]] + [Dimension](repeating: .unknown, count: rank) + [maps[1]])
      ]
    }
    let rank = extents.count - 2
    guard rank == 2 || rank == 3, maps[1].mayEqual(.fixed(rank)),
      maps[2].mayEqual(.fixed(rank + 1)),
      maps[0].mayEqual(extents[0])
    else { throw ModelError(.shapeMismatch, "AF2: maps of \(theta.type) for a size of \(extents)") }
    return [
      TensorType(theta.element, [maps[0].merged(with: extents[0])] + extents[2...] + [.fixed(rank)])
    ]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let theta = try inputs.required(0)
    let extents = try inputs.required(1).integers().dropFirst(2).map { Int($0) }
    let rank = extents.count
    let shape = try Shape([theta.shape[0]] + extents + [rank])
    let maps = theta.doubles()
    let points = extents.reduce(1, *)
    var result: [Double] = []
    for n in 0..<theta.shape[0] {
      for point in 0..<points {
        // Coordinates, the last axis first, then a one.
        var place: [Double] = []
        var left = point
        for axis in (0..<rank).reversed() {
          let (index, extent) = (Double(left % extents[axis]), Double(extents[axis]))
          left /= extents[axis]
          if alignCorners {
            place.append(extent == 1 ? -1 : -1 + 2 * index / (extent - 1))
          } else {
            place.append((2 * index + 1) / extent - 1)
          }
        }
        place.append(1)
        for row in 0..<rank {
          let start = (n * rank + row) * (rank + 1)
          var sum = 0.0
          for i in 0...rank { sum += maps[start + i] * place[i] }
          result.append(sum)
        }
      }
    }
    return [Tensor(theta.element, shape, doubles: result)]
  }
}

extension AffineGrid: ImportableOperator {
  package static let importers = [
    Importer("AffineGrid", 20...newestOpset) { node throws(ModelError) in
      AffineGrid(alignCorners: try node.flag("align_corners", default: false))
    }
  ]
}
