import ModelIR
import TensorCore

/// The transpose of ``Convolution``: each element of the operand adds its multiple of the kernel to the
/// result, y[n, m, i·stride + k·dilation − pad] += x[n, c, i] · w[c, m, k], then the ``Epilogue``.
///
/// Operands: X [N, C, …], W [C, M / groups, …], bias?, residual?, slope?. Clauses `CT1`…, `WN1`…,
/// `EP1`… of `formats/operators.md`; ONNX ConvTranspose 1–22.
package struct TransposedConvolution: Operator {
  package static let name = "ConvTranspose"
  package static let fields = [
    Field("groups", \TransposedConvolution.groups),
    Field("strides", \TransposedConvolution.window.strides),
    Field("dilations", \TransposedConvolution.window.dilations),
    Field("pads", \TransposedConvolution.window.pads),
    Field("autoPad", \TransposedConvolution.window.autoPad),
    Field("outputPadding", \TransposedConvolution.outputPadding),
    Field("outputShape", \TransposedConvolution.outputShape),
    Field("activation", \TransposedConvolution.epilogue.activation),
    Field("alpha", \TransposedConvolution.epilogue.alpha),
    Field("lower", \TransposedConvolution.epilogue.lower),
    Field("upper", \TransposedConvolution.epilogue.upper),
  ]

  package var groups = 1
  package var window = Window()
  /// Elements that the end of each spatial axis gains; empty for none.
  package var outputPadding: [Int] = []
  /// Extents of the result's spatial axes, from which the pads follow; empty where the pads decide.
  package var outputShape: [Int] = []
  package var epilogue = Epilogue()

  package init() {}
  package init(
    groups: Int = 1, window: Window = Window(), outputPadding: [Int] = [], outputShape: [Int] = [],
    epilogue: Epilogue = Epilogue()
  ) {
    self.groups = groups
    self.window = window
    self.outputPadding = outputPadding
    self.outputShape = outputShape
    self.epilogue = epilogue
  }
}

// MARK: - Types

extension TransposedConvolution {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...5)
    let x = try inputs.required(0)
    let w = try inputs.required(1)
    guard x.element.isFloatingPoint, w.element == x.element else {
      throw ModelError(
        .typeMismatch, "CT1: convolution of \(x.element) by \(w.element); one float type needed")
    }
    let image = try x.dimensions()
    let weight = try w.dimensions()
    guard image.count >= 3, weight.count == image.count else {
      throw ModelError(.shapeMismatch, "CT2: an image of \(x.type) with a weight of \(w.type)")
    }
    guard groups >= 1, image[1].mayEqual(weight[0]), (image[1].value ?? groups) % groups == 0 else {
      throw ModelError(
        .shapeMismatch, "CT3: \(image[1]) channels in \(groups) groups for \(weight[0]) filters")
    }
    try checkAttributes(rank: image.count - 2)
    var space: [Dimension] = []
    for axis in 0..<image.count - 2 {
      if !outputShape.isEmpty {
        space.append(.fixed(outputShape[axis]))
      } else if let extent = image[axis + 2].value, let kernel = weight[axis + 2].value {
        space.append(.fixed(try resolve(axis: axis, of: image.count - 2, extent, kernel).extent))
      } else {
        space.append(.unknown)
      }
    }
    let channels = Dimension.combine(weight[1], .fixed(groups)) { $0 * $1 }
    let result = TensorType(x.element, [image[0], channels] + space)
    try epilogue.check(EpilogueOperands(inputs, from: 2), output: result, axis: 1)
    return [result]
  }

  private func checkAttributes(rank: Int) throws(ModelError) {
    try window.check(rank: rank)
    for (name, list, least) in [
      ("outputPadding", outputPadding, 0), ("outputShape", outputShape, 1),
    ]
    where !list.isEmpty {
      guard list.count == rank,
        list.allSatisfy({ $0 >= least && $0 <= Window.maximumExtent })
      else { throw ModelError(.invalidValue, "CT4: \(name) is \(list) for \(rank) spatial axes") }
    }
  }

  /// The extent of the result along one spatial axis, and what is cut from its two ends.
  private func resolve(
    axis: Int, of rank: Int, _ input: Int, _ kernel: Int
  ) throws(ModelError) -> (extent: Int, before: Int, after: Int) {
    guard kernel >= 1, kernel <= Window.maximumExtent, input >= 1, input <= 1 << 32 else {
      throw ModelError(.invalidValue, "CT4: kernel extent \(kernel) over \(input) elements")
    }
    let extra = outputPadding.isEmpty ? 0 : outputPadding[axis]
    let stride = window.stride(axis)
    let full = stride * (input - 1) + extra + (kernel - 1) * window.dilation(axis) + 1
    let same = window.autoPad == .sameUpper || window.autoPad == .sameLower
    if !outputShape.isEmpty || same {
      let extent = outputShape.isEmpty ? input * stride : outputShape[axis]
      let total = max(0, full - extent)
      let lesser = total / 2
      return window.autoPad == .sameUpper
        ? (extent, lesser, total - lesser) : (extent, total - lesser, lesser)
    }
    let explicit = window.autoPad == .explicit && !window.pads.isEmpty
    let before = explicit ? window.pads[axis] : 0
    let after = explicit ? window.pads[axis + rank] : 0
    guard full - before - after >= 1 else {
      throw ModelError(.shapeMismatch, "CT5: pads take all \(full) elements of axis \(axis + 2)")
    }
    return (full - before - after, before, after)
  }

  /// The window over the *result's* image; its output positions are the operand's elements.
  package func geometry(input: [Int], kernel: [Int]) throws(ModelError) -> WindowGeometry {
    try checkAttributes(rank: input.count)
    var extents: [Int] = []
    var before: [Int] = []
    var after: [Int] = []
    for axis in input.indices {
      let resolved = try resolve(axis: axis, of: input.count, input[axis], kernel[axis])
      extents.append(resolved.extent)
      before.append(resolved.before)
      after.append(resolved.after)
    }
    return WindowGeometry(
      input: extents, kernel: kernel, output: input, strides: input.indices.map(window.stride),
      dilations: input.indices.map(window.dilation), before: before, after: after)
  }
}

// MARK: - Reference

extension TransposedConvolution {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    let geometry = try ConvolutionGeometry(self, input: x.shape, weight: w.shape)
    let shape = try Shape([geometry.batch, geometry.outputChannels] + geometry.window.input)
    let sums = geometry.convolveTransposed(x.doubles(), w.doubles())
    let result = epilogue.finish(sums, shape, axis: 1, EpilogueOperands(inputs, from: 2))
    return [Tensor(x.element, shape, doubles: result)]
  }
}

// MARK: - Import

extension TransposedConvolution: ImportableOperator {
  package static let importers = [
    Importer("ConvTranspose", 1...newestOpset) { (node, graph) throws(ModelError) in
      try node.checkKernelShape(of: node.required(1), in: graph)
      let op = TransposedConvolution(
        groups: try node.attribute("group", default: 1), window: try Window(importing: node),
        outputPadding: try node.attribute("output_padding", default: [Int]()),
        outputShape: try node.attribute("output_shape", default: [Int]()))
      return try node.append(op, to: &graph)
    }
  ]
}
