import ModelIR
import TensorCore

/// How much the output's gradient changes with each weight of a ``Convolution``:
/// w′ₘ_c_k = Σₙ Σₒ y′[n, m, o] · x[n, c, o·stride + k·dilation − pad].
///
/// Operands: X [N, C, …], Y′ [N, M, …]; the result is [M, C / groups, kernel…]. Clauses `CW1`…, `WN1`… of
/// `formats/operators.md`; no ONNX kind.
package struct ConvolutionWeightGradient: ImportableOperator {
  package static let name = "ConvWeightGradient"
  package static let fields = [
    Field("groups", \ConvolutionWeightGradient.groups),
    Field("kernel", \ConvolutionWeightGradient.kernel),
    Field("strides", \ConvolutionWeightGradient.window.strides),
    Field("dilations", \ConvolutionWeightGradient.window.dilations),
    Field("pads", \ConvolutionWeightGradient.window.pads),
    Field("autoPad", \ConvolutionWeightGradient.window.autoPad),
  ]

  package var groups = 1
  /// Extents of the kernel, one for each spatial axis.
  package var kernel: [Int] = []
  package var window = Window()

  package init() {}
  package init(groups: Int, kernel: [Int], window: Window) {
    self.groups = groups
    self.kernel = kernel
    self.window = window
  }
}

extension ConvolutionWeightGradient {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(2...2)
    let (x, gradient) = (try inputs.required(0), try inputs.required(1))
    guard x.element.isFloatingPoint, gradient.element == x.element else {
      throw ModelError(
        .typeMismatch, "CW1: an image of \(x.element), a gradient of \(gradient.element)")
    }
    let (image, given) = (try x.dimensions(), try gradient.dimensions())
    guard image.count >= 3, given.count == image.count, kernel.count == image.count - 2,
      image[0].mayEqual(given[0])
    else {
      throw ModelError(
        .shapeMismatch, "CW2: a kernel of \(kernel) between \(x.type) and \(gradient.type)")
    }
    guard kernel.allSatisfy({ $0 >= 1 && $0 <= Window.maximumExtent }) else {
      throw ModelError(.invalidValue, "CW2: a kernel of \(kernel)")
    }
    guard groups >= 1, (image[1].value ?? 0) % groups == 0, (given[1].value ?? 0) % groups == 0
    else {
      throw ModelError(
        .shapeMismatch, "CW3: \(image[1]) and \(given[1]) channels in \(groups) groups")
    }
    let space = try window.outputDimensions(
      input: Array(image.dropFirst(2)), kernel: kernel.map { .fixed($0) })
    guard zip(space, given.dropFirst(2)).allSatisfy({ $0.mayEqual($1) }) else {
      throw ModelError(
        .shapeMismatch, "CW4: a gradient of \(gradient.type) for an output of \(space)")
    }
    return [
      TensorType(
        x.element,
        [given[1], Dimension.combine(image[1], .fixed(groups), /)] + kernel.map { .fixed($0) })
    ]
  }

  func geometry(_ x: Shape, _ gradient: Shape) throws(ModelError) -> ConvolutionGeometry {
    try ConvolutionGeometry(
      Convolution(groups: groups, window: window), input: x,
      weight: Shape([gradient[1], x[1] / groups] + kernel))
  }

  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let (x, gradient) = (try inputs.required(0), try inputs.required(1))
    let geometry = try geometry(x.shape, gradient.shape)
    let (image, errors) = (x.doubles(), gradient.doubles())
    let (window, depth) = (geometry.window, geometry.groupInputChannels)
    let (plane, taps, positions) = (window.inputCount, window.kernelCount, window.outputCount)
    var sums = [Double](repeating: 0, count: geometry.outputChannels * depth * taps)
    for position in 0..<positions {
      let reached = window.taps(at: position)
      for n in 0..<geometry.batch {
        for m in 0..<geometry.outputChannels {
          let error = errors[(n * geometry.outputChannels + m) * positions + position]
          let first = n * geometry.inputChannels + m / geometry.groupOutputChannels * depth
          for c in 0..<depth {
            for tap in reached {
              sums[(m * depth + c) * taps + tap.kernel] +=
                error * image[(first + c) * plane + tap.input]
            }
          }
        }
      }
    }
    return [
      Tensor(x.element, try Shape([geometry.outputChannels, depth] + kernel), doubles: sums)
    ]
  }
}
