import ModelIR
import TensorCore

/// Who decides the padding of a window.
package enum AutoPad: String, StringAttribute, Hashable {
  /// The `pads` attribute.
  case explicit
  /// So much that output = ⌈input / stride⌉; an odd one goes to the end.
  case sameUpper
  /// So much that output = ⌈input / stride⌉; an odd one goes to the beginning.
  case sameLower
  /// None.
  case valid
}

/// How a window moves over the spatial axes of an image: the attributes that convolutions and pools
/// share. Empty lists stand for ones (strides, dilations) and zeros (pads).
package struct Window: Sendable, Hashable {
  package var strides: [Int] = []
  package var dilations: [Int] = []
  /// Beginnings of all axes, then ends of all axes.
  package var pads: [Int] = []
  package var autoPad = AutoPad.explicit

  /// The greatest stride, dilation, pad and kernel extent.
  static let maximumExtent = 1 << 24

  package init() {}
  package init(
    strides: [Int] = [], dilations: [Int] = [], pads: [Int] = [], autoPad: AutoPad = .explicit
  ) {
    self.strides = strides
    self.dilations = dilations
    self.pads = pads
    self.autoPad = autoPad
  }

  package func stride(_ axis: Int) -> Int { strides.isEmpty ? 1 : strides[axis] }
  package func dilation(_ axis: Int) -> Int { dilations.isEmpty ? 1 : dilations[axis] }

  /// Rejects attributes that do not fit `rank` spatial axes (`WN1`, `WN2`).
  package func check(rank: Int) throws(ModelError) {
    for (name, list, count, least) in [
      ("strides", strides, rank, 1), ("dilations", dilations, rank, 1),
      ("pads", pads, 2 * rank, 0),
    ] where !list.isEmpty {
      guard list.count == count else {
        throw ModelError(
          .invalidValue, "WN1: \(list.count) \(name) for \(rank) spatial axes")
      }
      guard list.allSatisfy({ $0 >= least && $0 <= Window.maximumExtent }) else {
        throw ModelError(.invalidValue, "WN2: \(name) are \(list)")
      }
    }
  }

  /// Output extents along the spatial axes, as far as they are known.
  package func outputDimensions(
    input: [Dimension], kernel: [Dimension], ceiling: Bool = false
  ) throws(ModelError) -> [Dimension] {
    try check(rank: input.count)
    var result: [Dimension] = []
    for axis in input.indices {
      if let extent = input[axis].value, let taps = kernel[axis].value {
        result.append(
          .fixed(try resolve(axis: axis, of: input.count, extent, taps, ceiling).output))
        continue
      }
      var keeps = autoPad == .sameUpper || autoPad == .sameLower
      if autoPad == .explicit, let taps = kernel[axis].value {
        let padding = pads.isEmpty ? 0 : pads[axis] + pads[axis + input.count]
        keeps = padding == (taps - 1) * dilation(axis)
      }
      result.append(keeps && stride(axis) == 1 ? input[axis] : .unknown)
    }
    return result
  }

  /// The window over an image of known extents.
  package func geometry(
    input: [Int], kernel: [Int], ceiling: Bool = false
  ) throws(ModelError) -> WindowGeometry {
    try check(rank: input.count)
    var output: [Int] = []
    var before: [Int] = []
    var after: [Int] = []
    for axis in input.indices {
      let resolved = try resolve(axis: axis, of: input.count, input[axis], kernel[axis], ceiling)
      output.append(resolved.output)
      before.append(resolved.before)
      after.append(resolved.after)
    }
    return WindowGeometry(
      input: input, kernel: kernel, output: output, strides: input.indices.map(stride),
      dilations: input.indices.map(dilation), before: before, after: after)
  }

  private func resolve(
    axis: Int, of rank: Int, _ input: Int, _ kernel: Int, _ ceiling: Bool
  ) throws(ModelError) -> (output: Int, before: Int, after: Int) {
    guard kernel >= 1, kernel <= Window.maximumExtent else {
      throw ModelError(.invalidValue, "WN2: kernel extent \(kernel)")
    }
    let stride = stride(axis)
    let span = (kernel - 1) * dilation(axis) + 1
    var before = 0
    var after = 0
    switch autoPad {
    case .sameUpper, .sameLower:
      let output = (input + stride - 1) / stride
      let total = max(0, (output - 1) * stride + span - input)
      let lesser = total / 2
      return autoPad == .sameUpper
        ? (output, lesser, total - lesser) : (output, total - lesser, lesser)
    case .explicit where !pads.isEmpty:
      before = pads[axis]
      after = pads[axis + rank]
    case .explicit, .valid: break
    }
    let room = input + before + after - span
    guard room >= 0 else {
      throw ModelError(
        .shapeMismatch,
        "WN3: a window of \(span) does not fit an extent of \(input) padded to \(room + span)")
    }
    var output = room / stride + 1
    if ceiling, room % stride != 0, output * stride < input + before { output += 1 }
    return (output, before, after)
  }
}

/// A window over an image whose extents are known: everything that a convolution or pool needs to know
/// about space. All lists have one entry for each spatial axis.
package struct WindowGeometry: Sendable, Hashable {
  package let input: [Int]
  package let kernel: [Int]
  package let output: [Int]
  package let strides: [Int]
  package let dilations: [Int]
  package let before: [Int]
  package let after: [Int]

  package init(
    input: [Int], kernel: [Int], output: [Int], strides: [Int], dilations: [Int], before: [Int],
    after: [Int]
  ) {
    self.input = input
    self.kernel = kernel
    self.output = output
    self.strides = strides
    self.dilations = dilations
    self.before = before
    self.after = after
  }

  package var rank: Int { input.count }
  package var inputCount: Int { input.reduce(1, *) }
  package var kernelCount: Int { kernel.reduce(1, *) }
  package var outputCount: Int { output.reduce(1, *) }

  /// True where the window is one element that visits every element once.
  package var isPointwise: Bool {
    kernelCount == 1 && input == output && strides.allSatisfy { $0 == 1 }
      && before.allSatisfy { $0 == 0 }
  }

  /// One element of the window that lies inside the image.
  package struct Tap: Sendable, Hashable {
    /// Flat position in the image.
    package let input: Int
    /// Flat position in the kernel.
    package let kernel: Int
  }

  /// The spatial coordinates of flat output position `position`.
  package func coordinates(of position: Int) -> [Int] {
    var left = position
    var result = [Int](repeating: 0, count: rank)
    for axis in stride(from: rank - 1, through: 0, by: -1) {
      result[axis] = left % output[axis]
      left /= output[axis]
    }
    return result
  }

  /// The elements that the window covers at flat output position `position`, in kernel order.
  package func taps(at position: Int) -> [Tap] {
    let center = coordinates(of: position)
    var taps = [Tap(input: 0, kernel: 0)]
    for axis in 0..<rank {
      var wider: [Tap] = []
      for tap in taps {
        for k in 0..<kernel[axis] {
          let i = center[axis] * strides[axis] + k * dilations[axis] - before[axis]
          guard i >= 0, i < input[axis] else { continue }
          wider.append(
            Tap(input: tap.input * input[axis] + i, kernel: tap.kernel * kernel[axis] + k))
        }
      }
      taps = wider
    }
    return taps
  }

  /// For each output position along an axis, the places along it that the window covers, in kernel order.
  func windows(along axis: Int) -> [[Int32]] {
    (0..<output[axis]).map { position in
      let start = position * strides[axis] - before[axis]
      return (0..<kernel[axis]).map { start + $0 * dilations[axis] }
        .filter { $0 >= 0 && $0 < input[axis] }.map { Int32($0) }
    }
  }

  /// At how many output positions each element of the window lies inside the image, in kernel order.
  package var tapCounts: [Int] {
    var counts = [1]
    for axis in 0..<rank {
      let own = (0..<kernel[axis]).map { k in
        (0..<output[axis]).count {
          (0..<input[axis]).contains($0 * strides[axis] + k * dilations[axis] - before[axis])
        }
      }
      counts = counts.flatMap { outer in own.map { outer * $0 } }
    }
    return counts
  }
}

extension Window {
  /// The attributes `strides`, `dilations`, `pads` and `auto_pad` of an ONNX node.
  init(importing node: ForeignNode) throws(ModelError) {
    let auto = try node.attribute("auto_pad", default: "NOTSET")
    strides = try node.attribute("strides", default: [Int]())
    dilations = try node.attribute("dilations", default: [Int]())
    let given = try node.attribute("pads", default: [Int]())
    switch auto {
    case "NOTSET":
      autoPad = .explicit
      pads = given
    case "SAME_UPPER": autoPad = .sameUpper
    case "SAME_LOWER": autoPad = .sameLower
    case "VALID": autoPad = .valid
    default: throw ModelError(.unsupportedAttribute, "auto_pad '\(auto)'")
    }
  }
}

extension ForeignNode {
  /// Reads `kernel_shape`, which convolutions only repeat from their weight.
  func checkKernelShape(of weight: ValueID, in graph: Graph) throws(ModelError) {
    guard let given = try optional("kernel_shape", as: [Int].self) else { return }
    guard let dimensions = graph.type(weight).dimensions else { return }
    let own = dimensions.dropFirst(2)
    guard own.count == given.count, zip(own, given).allSatisfy({ $0.mayEqual(.fixed($1)) }) else {
      throw ModelError(
        .shapeMismatch, "kernel_shape \(given) is not that of the weight, \(graph.type(weight))")
    }
  }
}
