import ModelKernels
import TensorCore

/// A window over channels-last images in the kernels' three axes. The batch is the first of them where
/// an axis is free, and `images` counts what is left to loop over.
struct WindowSpace {
  let images: Int
  let kernel: Triple
  let inputSize: Triple
  let outputSize: Triple
  let step: Triple
  let dilation: Triple
  let before: Triple
  let inputStride: Triple
  let outputStride: Triple

  init(_ geometry: WindowGeometry, input: ChannelsLastImage, output: ChannelsLastImage) {
    let takesBatch = geometry.rank < 3
    images = takesBatch ? 1 : input.batch
    kernel = Triple(geometry.kernel)
    step = Triple(geometry.strides)
    dilation = Triple(geometry.dilations)
    before = Triple(geometry.before, filling: 0)
    var (inputSize, outputSize) = (input.size, output.size)
    var (inputStride, outputStride) = (input.stride, output.stride)
    if takesBatch {
      inputSize.d = input.batch
      outputSize.d = input.batch
      inputStride.d = input.count
      outputStride.d = output.count
    }
    self.inputSize = inputSize
    self.outputSize = outputSize
    self.inputStride = inputStride
    self.outputStride = outputStride
  }

  /// True where the taps of one kernel row read neighbouring positions.
  var isDenseAlongWidth: Bool { dilation.w == 1 }

  /// Taps in kernel order; with `dense`, one for each kernel row, at its first position.
  func taps(dense: Bool) -> [Triple] {
    var taps: [Triple] = []
    for d in 0..<kernel.d {
      for h in 0..<kernel.h {
        for w in 0..<(dense ? 1 : kernel.w) {
          taps.append(
            Triple(
              d * dilation.d - before.d, h * dilation.h - before.h, w * dilation.w - before.w))
        }
      }
    }
    return taps
  }

  func window(dense: Bool) -> KernelWindow {
    KernelWindow(
      inputSize: inputSize, outputSize: outputSize, step: step, taps: taps(dense: dense),
      inputStride: inputStride, outputStride: outputStride)
  }
}
