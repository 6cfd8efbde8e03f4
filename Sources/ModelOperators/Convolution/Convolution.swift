import ModelIR
import TensorCore

/// Convolution over any number of spatial axes, in groups, with its ``Epilogue``:
/// yₙₘₒ = f(Σ_c Σₖ x[n, c, o·stride + k·dilation − pad] · w[m, c, k] + bₘ + rₙₘₒ).
///
/// Operands: X [N, C, …], W [M, C / groups, …], bias?, residual?, slope?. Clauses `CV1`…, `WN1`…,
/// `EP1`… of `formats/operators.md`; ONNX Conv 1–22.
package struct Convolution: Operator {
  package static let name = "Conv"
  package static let fields = [
    Field("groups", \Convolution.groups),
    Field("strides", \Convolution.window.strides),
    Field("dilations", \Convolution.window.dilations),
    Field("pads", \Convolution.window.pads),
    Field("autoPad", \Convolution.window.autoPad),
    Field("activation", \Convolution.epilogue.activation),
    Field("alpha", \Convolution.epilogue.alpha),
    Field("lower", \Convolution.epilogue.lower),
    Field("upper", \Convolution.epilogue.upper),
  ]

  package var groups = 1
  package var window = Window()
  package var epilogue = Epilogue()

  package init() {}
  package init(groups: Int = 1, window: Window = Window(), epilogue: Epilogue = Epilogue()) {
    self.groups = groups
    self.window = window
    self.epilogue = epilogue
  }
}

// MARK: - Types

extension Convolution {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...5)
    let x = try inputs.required(0)
    let w = try inputs.required(1)
    guard x.element.isFloatingPoint, w.element == x.element else {
      throw ModelError(
        .typeMismatch, "CV1: convolution of \(x.element) by \(w.element); one float type needed")
    }
    let image = try x.dimensions()
    let weight = try w.dimensions()
    guard image.count >= 3, weight.count == image.count else {
      throw ModelError(.shapeMismatch, "CV2: an image of \(x.type) with a weight of \(w.type)")
    }
    guard groups >= 1 else { throw ModelError(.invalidValue, "CV3: \(groups) groups") }
    if let channels = image[1].value, let filter = weight[1].value,
      channels % groups != 0 || channels / groups != filter
    {
      throw ModelError(
        .shapeMismatch, "CV3: \(channels) channels in \(groups) groups for filters of \(filter)")
    }
    if let filters = weight[0].value, filters % groups != 0 {
      throw ModelError(.shapeMismatch, "CV3: \(filters) filters in \(groups) groups")
    }
    let space = try window.outputDimensions(
      input: Array(image.dropFirst(2)), kernel: Array(weight.dropFirst(2)))
    let result = TensorType(x.element, [image[0], weight[0]] + space)
    try epilogue.check(EpilogueOperands(inputs, from: 2), output: result, axis: 1)
    return [result]
  }
}

// MARK: - Reference

extension Convolution {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, w) = (try inputs.required(0), try inputs.required(1))
    let geometry = try ConvolutionGeometry(self, input: x.shape, weight: w.shape)
    let shape = try Shape([geometry.batch, geometry.outputChannels] + geometry.window.output)
    let sums = geometry.convolve(x.doubles(), w.doubles())
    let result = epilogue.finish(sums, shape, axis: 1, EpilogueOperands(inputs, from: 2))
    return [Tensor(x.element, shape, doubles: result)]
  }
}

// MARK: - Import

extension Convolution: ImportableOperator {
  package static let importers: [Importer] =
    [
      Importer("Conv", 1...newestOpset) { (node, graph) throws(ModelError) in
        try node.checkKernelShape(of: node.required(1), in: graph)
        let op = Convolution(
          groups: try node.attribute("group", default: 1), window: try Window(importing: node))
        return try node.append(op, to: &graph)
      }
    ] + integerImporters + fusedImporters
}
