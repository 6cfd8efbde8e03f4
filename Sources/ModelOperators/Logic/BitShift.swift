import ModelIR
import TensorCore

/// y = a shifted by b bits, with multidirectional broadcasting. A right shift of a signed type repeats
/// the sign; b outside the width leaves only what is shifted in. ONNX BitShift 11–28.
package struct BitShift: BroadcastingOperator {
  package enum Direction: String, StringAttribute {
    case left = "LEFT"
    case right = "RIGHT"
  }
  package static let name = "BitShift"
  package static let fields = [Field("direction", \BitShift.direction)]
  package var direction = Direction.left
  package init() {}
  package init(_ direction: Direction) { self.direction = direction }

  package func accepts(_ element: ElementType) -> Bool { element.isInteger }

  package func combine(
    _ a: Tensor, _ b: Tensor, _ pairs: [(Int, Int)], _ shape: Shape
  ) -> Tensor {
    let width = a.element == .int4 || a.element == .uint4 ? 4 : Int64(a.element.byteCount * 8)
    let (x, y) = (a.integers(), b.integers())
    return Tensor(
      a.element, shape,
      integers: pairs.map { (p, q) in
        let inside = (0..<width).contains(y[q])
        switch direction {
        case .left: return inside ? x[p] << y[q] : 0
        case .right where a.element.isSigned: return x[p] >> (inside ? y[q] : 63)
        case .right: return inside ? Int64(bitPattern: UInt64(bitPattern: x[p]) >> y[q]) : 0
        }
      })
  }
}

extension BitShift: ImportableOperator {
  package static let importers = [
    Importer("BitShift", 11...newestOpset) { node throws(ModelError) in
      BitShift(try node.required(attribute: "direction"))
    }
  ]
}
