import ModelIR
import TensorCore

/// Columns of windows added up to the images that they are windows of: the transpose of cutting an image
/// into windows.
///
/// Operands: X [N, C · window, windows], image extents, window extents. Clauses `CI1`… of
/// `formats/operators.md`; ONNX Col2Im 18.
package struct Col2Im: Operator {
  package static let name = "Col2Im"
  package static let fields = [
    Field("strides", \Col2Im.window.strides), Field("dilations", \Col2Im.window.dilations),
    Field("pads", \Col2Im.window.pads),
  ]

  package var window = Window()

  package init() {}
  package init(window: Window) { self.window = window }
}

extension Col2Im {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...3)
    let (x, image, block) = (
      try inputs.required(0), try inputs.required(1), try inputs.required(2)
    )
    guard x.element != .bool, image.element == .int64, block.element == .int64 else {
      throw ModelError(.typeMismatch, "CI1: windows of \(x.element)")
    }
    let columns = try x.dimensions()
    guard columns.count == 3 else { throw ModelError(.shapeMismatch, "CI2: columns of \(x.type)") }
    guard let extents = image.extents, let kernel = block.extents else {
      throw ModelError(.unknownShape, "the image's extents are not known")
    }
    let known = extents.compactMap(\.value)
    let taps = kernel.compactMap(\.value)
    guard known.count == extents.count, taps.count == kernel.count else {
      throw ModelError(.unknownShape, "the image's extents are not known")
    }
    guard !known.isEmpty, known.count == taps.count else {
      throw ModelError(.shapeMismatch, "CI2: windows of \(taps) in an image of \(known)")
    }
    let geometry = try geometry(image: known, kernel: taps)
    guard columns[2].mayEqual(.fixed(geometry.outputCount)),
      (columns[1].value ?? 0) % geometry.kernelCount == 0
    else {
      throw ModelError(
        .shapeMismatch, "CI3: \(x.type) is not \(geometry.outputCount) windows of \(taps)")
    }
    let channels = Dimension.combine(columns[1], .fixed(geometry.kernelCount)) { $0 / $1 }
    return [TensorType(x.element, [columns[0], channels] + extents)]
  }

  /// Extents come from data: those of no shape are refused before anything is multiplied (`CI4`).
  private func geometry(image: [Int], kernel: [Int]) throws(ModelError) -> WindowGeometry {
    try during("CI4: windows of \(kernel) in an image of \(image)") { () throws(ModelError) in
      _ = try (Shape(image), Shape(kernel))
      let geometry = try window.geometry(input: image, kernel: kernel)
      _ = try Shape(geometry.output)
      return geometry
    }
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    let extents = try inputs.required(1).integers().map { Int($0) }
    let kernel = try inputs.required(2).integers().map { Int($0) }
    let geometry = try geometry(image: extents, kernel: kernel)
    let taps = geometry.kernelCount
    let planes = x.shape[0] * x.shape[1] / taps
    let (values, columns) = (x.doubles(), x.shape[2])
    let shape = try Shape([x.shape[0], x.shape[1] / taps] + extents)
    var result = [Double](repeating: 0, count: shape.count)
    for position in 0..<columns {
      for tap in geometry.taps(at: position) {
        for plane in 0..<planes {
          result[plane * geometry.inputCount + tap.input] +=
            values[(plane * taps + tap.kernel) * columns + position]
        }
      }
    }
    return [Tensor(x.element, shape, doubles: result)]
  }
}

extension Col2Im: ImportableOperator {
  package static let importers = [
    Importer("Col2Im", 18...newestOpset) { node throws(ModelError) in
      Col2Im(
        window: Window(
          strides: try node.attribute("strides", default: [Int]()),
          dilations: try node.attribute("dilations", default: [Int]()),
          pads: try node.attribute("pads", default: [Int]())))
    }
  ]
}
