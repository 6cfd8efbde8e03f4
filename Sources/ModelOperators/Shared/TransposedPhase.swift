import ModelKernels
import TensorCore

/// The positions of a transposed convolution's result with one remainder under the stride, or one of
/// them, and the kernel elements that reach them.
struct TransposedPhase {
  /// A kernel element along one axis and the input position it reads, relative to the phase's.
  struct Reach {
    let element: Int
    let offset: Int
  }

  /// First position, stride and number of positions along each axis.
  let first: Triple
  let stride: Triple
  let size: Triple
  /// Reaches along each axis, in order of the input position.
  let reaches: [[Reach]]

  /// Every phase that has positions. `geometry` is the window over the result.
  static func all(_ geometry: WindowGeometry) -> [TransposedPhase] {
    let extent = Triple(geometry.input)
    let stride = Triple(
      zip(geometry.strides, zip(geometry.output, geometry.input)).map { stride, extents in
        extents.0 == 1 ? extents.1 : stride
      })
    var phases: [TransposedPhase] = []
    for d in 0..<min(stride.d, extent.d) {
      for h in 0..<min(stride.h, extent.h) {
        for w in 0..<min(stride.w, extent.w) {
          phases.append(
            TransposedPhase(
              first: Triple(d, h, w), stride: stride,
              size: Triple(
                (extent.d - d + stride.d - 1) / stride.d, (extent.h - h + stride.h - 1) / stride.h,
                (extent.w - w + stride.w - 1) / stride.w),
              reaches: reaches(geometry, Triple(d, h, w))))
        }
      }
    }
    return phases
  }

  /// Position o gets element k from input i where i · stride + k · dilation − pad = o.
  private static func reaches(_ geometry: WindowGeometry, _ first: Triple) -> [[Reach]] {
    let absent = 3 - geometry.rank
    let positions = [first.d, first.h, first.w]
    return (0..<3).map { axis in
      guard axis >= absent else { return [Reach(element: 0, offset: 0)] }
      let own = axis - absent
      var result: [Reach] = []
      for k in (0..<geometry.kernel[own]).reversed() {
        let distance = positions[axis] + geometry.before[own] - k * geometry.dilations[own]
        let isReach = distance % geometry.strides[own] == 0
        if isReach && (geometry.output[own] > 1 || distance == 0) {
          result.append(Reach(element: k, offset: distance / geometry.strides[own]))
        }
      }
      return result
    }
  }

  /// True where the reaches along the width are neighbours in the input.
  private var isDense: Bool {
    zip(reaches[2], reaches[2].dropFirst()).allSatisfy { $1.offset == $0.offset + 1 }
  }

  /// Lengths of the runs that a dense window reads: 1 along all axes but perhaps the width.
  var runs: Triple { Triple(1, 1, isDense ? max(reaches[2].count, 1) : 1) }

  /// Taps in the order of ``elements(_:)``, those of a run as one.
  private func taps(dense: Bool) -> [Triple] {
    let columns = dense && isDense ? Array(reaches[2].prefix(1)) : reaches[2]
    return reaches[0].flatMap { d in
      reaches[1].flatMap { h in columns.map { Triple(d.offset, h.offset, $0.offset) } }
    }
  }

  /// Flat kernel elements in the order in which the taps read.
  func elements(_ kernel: [Int]) -> [Int] {
    let size = Triple(kernel)
    return reaches[0].flatMap { d in
      reaches[1].flatMap { h in
        reaches[2].map { (d.element * size.h + h.element) * size.w + $0.element }
      }
    }
  }

  func window(
    input: ChannelsLastImage, output: ChannelsLastImage, dense: Bool
  ) -> KernelWindow {
    let apart = output.stride
    return KernelWindow(
      inputSize: input.size, outputSize: size, step: Triple(1, 1, 1), taps: taps(dense: dense),
      inputStride: input.stride,
      outputStride: Triple(apart.d * stride.d, apart.h * stride.h, apart.w * stride.w))
  }

  func outputOffset(_ output: ChannelsLastImage) -> Int {
    let apart = output.stride
    return first.d * apart.d + first.h * apart.h + first.w * apart.w
  }
}
