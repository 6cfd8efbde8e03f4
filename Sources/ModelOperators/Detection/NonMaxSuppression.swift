import ModelIR
import TensorCore

/// The boxes of each class that are left when, from the best score down, each one removes those that it
/// overlaps by more than a threshold. The result is [kept, 3]: batch, class, box.
///
/// Operands: boxes [batch, boxes, 4], scores [batch, classes, boxes], greatest count for a class?,
/// overlap threshold?, score threshold?. Its shape depends on the data. Clauses `NM1`… of
/// `formats/operators.md`; ONNX NonMaxSuppression 10–11.
package struct NonMaxSuppression: Operator {
  package static let name = "NonMaxSuppression"
  package static let fields = [Field("centered", \NonMaxSuppression.centered)]

  /// Boxes are x, y of the centre, width, height; elsewhere y, x of two opposite corners.
  package var centered = false

  package init() {}
  package init(centered: Bool) { self.centered = centered }
}

extension NonMaxSuppression {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...5)
    let (boxes, scores) = (try inputs.required(0), try inputs.required(1))
    guard boxes.element == .float32, scores.element == .float32 else {
      throw ModelError(.typeMismatch, "NM1: boxes of \(boxes.element), scores of \(scores.element)")
    }
    let (places, values) = (try boxes.dimensions(), try scores.dimensions())
    guard places.count == 3, values.count == 3, places[2].mayEqual(4),
      places[0].mayEqual(values[0]), places[1].mayEqual(values[2])
    else {
      throw ModelError(.shapeMismatch, "NM2: boxes of \(boxes.type), scores of \(scores.type)")
    }
    return [TensorType(.int64, [.unknown, 3])]
  }

  package func outputElements(_ inputs: Operands<Fact>) throws(ModelError) -> [ElementType] {
    [.int64]
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (boxes, scores) = (try inputs.required(0), try inputs.required(1))
    let (count, classes) = (boxes.shape[1], scores.shape[1])
    let most = Int(inputs.optional(2)?.integers().first ?? 0)
    let overlap = inputs.optional(3)?.doubles().first ?? 0
    let least = inputs.optional(4)?.doubles().first ?? -.infinity
    let (places, values) = (boxes.doubles(), scores.doubles())
    var kept: [Int64] = []
    var rows = 0
    for n in 0..<boxes.shape[0] {
      let areas = (0..<count).map { Box(places[((n * count + $0) * 4)...], centered: centered) }
      for c in 0..<classes {
        let start = (n * classes + c) * count
        let order = (0..<count).filter { values[start + $0] > least }
          .sorted { (values[start + $0], $1) > (values[start + $1], $0) }
        var chosen: [Int] = []
        for box in order where chosen.count < most {
          if chosen.allSatisfy({ areas[box].overlap(areas[$0]) <= overlap }) { chosen.append(box) }
        }
        for box in chosen { kept += [Int64(n), Int64(c), Int64(box)] }
        rows += chosen.count
      }
    }
    return [Tensor(try Shape([rows, 3]), kept)]
  }

  private struct Box {
    let top: Double
    let left: Double
    let bottom: Double
    let right: Double

    init(_ values: ArraySlice<Double>, centered: Bool) {
      let v = Array(values.prefix(4))
      if centered {
        (left, right) = (v[0] - v[2] / 2, v[0] + v[2] / 2)
        (top, bottom) = (v[1] - v[3] / 2, v[1] + v[3] / 2)
      } else {
        (top, bottom) = (min(v[0], v[2]), max(v[0], v[2]))
        (left, right) = (min(v[1], v[3]), max(v[1], v[3]))
      }
    }

    var area: Double { (bottom - top) * (right - left) }

    /// Intersection over union.
    func overlap(_ other: Box) -> Double {
      let height = min(bottom, other.bottom) - max(top, other.top)
      let width = min(right, other.right) - max(left, other.left)
      guard height > 0, width > 0 else { return 0 }
      return height * width / (area + other.area - height * width)
    }
  }
}

extension NonMaxSuppression: ImportableOperator {
  package static let importers = [
    Importer("NonMaxSuppression", 10...newestOpset) { node throws(ModelError) in
      NonMaxSuppression(centered: try node.flag("center_point_box", default: false))
    }
  ]
}
