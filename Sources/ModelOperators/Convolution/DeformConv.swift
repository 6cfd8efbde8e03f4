import ModelIR
import TensorCore

/// A convolution over two axes whose kernel elements read where offsets say, between elements by
/// interpolation, and times a mask.
///
/// Operands: X [N, C, H, W], W [M, C / groups, h, w], offsets [N, offset groups · h · w · 2, …], bias?,
/// mask?. Clauses `DC1`… of `formats/operators.md`; ONNX DeformConv 19–22.
package struct DeformConv: Operator {
  package static let name = "DeformConv"
  package static let fields = [
    Field("groups", \DeformConv.groups), Field("offsetGroups", \DeformConv.offsetGroups),
    Field("strides", \DeformConv.window.strides), Field("dilations", \DeformConv.window.dilations),
    Field("pads", \DeformConv.window.pads),
  ]

  package var groups = 1
  package var offsetGroups = 1
  package var window = Window()

  package init() {}
  package init(groups: Int, offsetGroups: Int, window: Window) {
    self.groups = groups
    self.offsetGroups = offsetGroups
    self.window = window
  }
}

extension DeformConv {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(3...5)
    let (x, w, offset) = (
      try inputs.required(0), try inputs.required(1), try inputs.required(2)
    )
    guard x.element.isFloatingPoint, w.element == x.element, offset.element == x.element else {
      throw ModelError(.typeMismatch, "DC1: convolution of \(x.element) by \(w.element)")
    }
    guard try x.dimensions().count == 4, try offset.dimensions().count == 4, offsetGroups >= 1,
      try (x.dimensions()[1].value ?? 0) % offsetGroups == 0
    else { throw ModelError(.shapeMismatch, "DC2: offsets of \(offset.type) for \(x.type)") }
    let plain = Convolution(groups: groups, window: window)
    let types = try plain.infer(Operands([x, w, inputs.optional(3)]))
    guard let shape = types[0].dimensions, let kernel = w.type.dimensions else { return types }
    let taps = Dimension.combine(kernel[2], kernel[3], *)
    let planes = Dimension.combine(taps, .fixed(offsetGroups), *)
    let given = try offset.dimensions()
    guard given[1].mayEqual(Dimension.combine(planes, 2, *)), given[2].mayEqual(shape[2]),
      given[3].mayEqual(shape[3])
    else { throw ModelError(.shapeMismatch, "DC2: offsets of \(offset.type) for \(types[0])") }
    if let mask = inputs.optional(4), try !mask.dimensions()[1].mayEqual(planes) {
      throw ModelError(.shapeMismatch, "DC3: a mask of \(mask.type) for \(types[0])")
    }
    return types
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    let offsets = try inputs.required(2).doubles()
    let bias = inputs.optional(3)?.doubles()
    let mask = inputs.optional(4)?.doubles()
    let geometry = try ConvolutionGeometry(
      Convolution(groups: groups, window: window), input: x.shape, weight: w.shape)
    let space = geometry.window
    let shape = try Shape([geometry.batch, geometry.outputChannels] + space.output)
    let (image, weight) = (x.doubles(), w.doubles())
    let (taps, positions) = (space.kernelCount, space.outputCount)
    let each = geometry.inputChannels / offsetGroups
    var result = [Double](repeating: 0, count: shape.count)
    for n in 0..<geometry.batch {
      for position in 0..<positions {
        let center = space.coordinates(of: position)
        for c in 0..<geometry.inputChannels {
          let group = c / geometry.groupInputChannels
          for tap in 0..<taps {
            let row = (n * offsetGroups + c / each) * taps + tap
            let k = [tap / space.kernel[1], tap % space.kernel[1]]
            let place = (0..<2).map { axis in
              Double(
                center[axis] * space.strides[axis] + k[axis] * space.dilations[axis]
                  - space.before[axis]) + offsets[(row * 2 + axis) * positions + position]
            }
            let plane = (n * geometry.inputChannels + c) * space.inputCount
            var value = DeformConv.sample(image, plane, space.input, place)
            if let mask { value *= mask[row * positions + position] }
            for m in 0..<geometry.groupOutputChannels {
              let filter = group * geometry.groupOutputChannels + m
              let index =
                (filter * geometry.groupInputChannels + c % geometry.groupInputChannels) * taps
                + tap
              result[(n * geometry.outputChannels + filter) * positions + position] +=
                value * weight[index]
            }
          }
        }
      }
    }
    if let bias {
      for index in result.indices { result[index] += bias[index / positions % bias.count] }
    }
    return [Tensor(x.element, shape, doubles: result)]
  }

  /// The image at `place`, interpolated; 0 outside.
  private static func sample(
    _ image: [Double], _ plane: Int, _ extents: [Int], _ place: [Double]
  ) -> Double {
    let (low, left) = (place[0].rounded(.down), place[1].rounded(.down))
    guard abs(low) < 1e9, abs(left) < 1e9 else { return 0 }
    var sum = 0.0
    for i in 0...1 {
      for j in 0...1 {
        let (row, column) = (Int(low) + i, Int(left) + j)
        guard row >= 0, row < extents[0], column >= 0, column < extents[1] else { continue }
        let weight = (1 - abs(place[0] - Double(row))) * (1 - abs(place[1] - Double(column)))
        sum += weight * image[plane + row * extents[1] + column]
      }
    }
    return sum
  }
}

extension DeformConv: ImportableOperator {
  package static let importers = [
    Importer("DeformConv", 19...newestOpset) { (node, graph) throws(ModelError) in
      try node.checkKernelShape(of: node.required(1), in: graph)
      let op = DeformConv(
        groups: try node.attribute("group", default: 1),
        offsetGroups: try node.attribute("offset_group", default: 1),
        window: try Window(importing: node))
      return try node.append(op, to: &graph)
    }
  ]
}
