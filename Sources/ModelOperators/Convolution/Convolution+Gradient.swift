import ModelIR
import TensorCore

extension Convolution: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, w) = (try site.operand(0), try site.operand(1))
    let geometry = try ConvolutionGeometry(self, input: x.shape, weight: w.shape)
    let bySums = try epilogue.gradient(at: site)
    let byX =
      try site.wants(0)
      ? bySums.applying(TransposedConvolution(undoing: geometry.window, groups: groups), w) : nil
    let byW =
      try site.wants(1)
      ? x.applying(
        ConvolutionWeightGradient(groups: groups, kernel: geometry.window.kernel, window: window),
        bySums) : nil
    return [byX, byW] + (try epilogue.gradients(of: bySums, at: site, from: 2, axis: 1))
  }
}

extension TransposedConvolution: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    let (x, w) = (try site.operand(0), try site.operand(1))
    let geometry = try ConvolutionGeometry(self, input: x.shape, weight: w.shape).window
    let bySums = try epilogue.gradient(at: site)
    let plain = Window(
      strides: geometry.strides, dilations: geometry.dilations,
      pads: geometry.before + geometry.after)
    let output = try plain.geometry(input: geometry.input, kernel: geometry.kernel).output
    guard output == geometry.output else {
      throw ModelError(
        .unsupportedFeature, "GR4: the gradient of an output that is padded by a stride or more")
    }
    let byX =
      try site.wants(0) ? bySums.applying(Convolution(groups: groups, window: plain), w) : nil
    let byW =
      try site.wants(1)
      ? bySums.applying(
        ConvolutionWeightGradient(groups: groups, kernel: geometry.kernel, window: plain), x) : nil
    return [byX, byW] + (try epilogue.gradients(of: bySums, at: site, from: 2, axis: 1))
  }

  /// The transposed convolution from the outputs of a window to its inputs.
  init(undoing window: WindowGeometry, groups: Int) {
    let after = (0..<window.rank).map { axis in
      let span = (window.kernel[axis] - 1) * window.dilations[axis] + 1
      let full: Int = window.strides[axis] * (window.output[axis] - 1) + span
      return full - window.before[axis] - window.input[axis]
    }
    self.init(
      groups: groups,
      window: Window(
        strides: window.strides, dilations: window.dilations,
        pads: window.before + after.map { max(0, $0) }),
      outputPadding: after.map { max(0, -$0) })
  }
}
