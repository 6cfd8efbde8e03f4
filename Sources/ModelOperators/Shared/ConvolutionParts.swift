import ModelKernels
import TensorCore

/// What a convolution or a transposed one consists of for the kernels of channels-last images: their calls,
/// and the weights that each call reads.
struct ConvolutionParts: Sendable {
  /// Weights of one group: some kernel elements of all its filters.
  struct Weights: Sendable {
    let group: Int
    /// Flat kernel elements in the order in which they are read.
    let elements: [Int]
  }

  private(set) var parts: [ConvolutionPart] = []
  private(set) var weights: [Weights] = []
  private let geometry: ConvolutionGeometry

  /// Images of up to two spatial axes take their batch as the first of the kernel's three axes; others
  /// are one part for each image.
  init(_ geometry: ConvolutionGeometry, input: ChannelsLastImage, output: ChannelsLastImage) {
    self.geometry = geometry
    let space = WindowSpace(geometry.window, input: input, output: output)
    let (filters, depth) = (geometry.groupOutputChannels, geometry.groupInputChannels)
    let isDense = geometry.groups == 1 && space.isDenseAlongWidth
    for group in 0..<geometry.groups {
      for image in 0..<space.images {
        parts.append(
          ConvolutionPart(
            window: space.window(dense: isDense), inputOffset: image * input.count + group * depth,
            outputOffset: image * output.count + group * filters,
            residualOffset: image * output.count + group * filters,
            residualStride: space.outputStride,
            tapPixels: isDense ? space.kernel.w : 1, tapChannels: depth,
            firstChannel: group * filters, weights: group))
      }
      weights.append(
        Weights(group: group, elements: Array(0..<geometry.window.kernelCount)))
    }
  }

  /// The result's positions fall into phases by their remainder under the stride; each phase is an
  /// ordinary convolution of stride 1 by the kernel elements that reach it, written to every
  /// stride-th position. Along an axis where the input has one position, every position of the result
  /// is a phase of its own, so that no element meets padding only.
  init(
    transposed geometry: ConvolutionGeometry, input: ChannelsLastImage, output: ChannelsLastImage
  ) {
    self.geometry = geometry
    let takesBatch = geometry.window.rank < 3
    let phases = TransposedPhase.all(geometry.window)
    let (filters, depth) = (geometry.groupOutputChannels, geometry.groupInputChannels)
    let isDense = geometry.groups == 1
    for group in 0..<geometry.groups {
      for phase in phases {
        var window = phase.window(input: input, output: output, dense: isDense)
        if takesBatch {
          window.inputSize.d = input.batch
          window.outputSize.d = input.batch
          window.inputStride.d = input.count
          window.outputStride.d = output.count
        }
        let offset = phase.outputOffset(output) + group * filters
        for image in 0..<(takesBatch ? 1 : input.batch) {
          parts.append(
            ConvolutionPart(
              window: window, inputOffset: image * input.count + group * depth,
              outputOffset: image * output.count + offset,
              residualOffset: image * output.count + offset, residualStride: window.outputStride,
              tapPixels: isDense ? phase.runs.w : 1, tapChannels: depth,
              firstChannel: group * filters, weights: weights.count))
        }
        weights.append(
          Weights(group: group, elements: phase.elements(geometry.window.kernel)))
      }
    }
  }

  /// What these parts' weights are packed from.
  func origin(of weights: Tensor, _ order: WeightOrder) -> WeightOrigin {
    WeightOrigin(
      weights,
      form: [order == .filtersFirst ? 0 : 1, geometry.groups] + self.weights.flatMap(\.elements))
  }

  /// Calls `body` with the rows of every set of weights and the filters of its group that they are of: some at a time, so that
  /// they stay in cache, where each filter has its weights by itself.
  ///
  /// - Parameters:
  ///   - values: the operand.
  ///   - transpose: of rows, columns, from and to.
  func forEachRows<Element>(
    of values: UnsafeBufferPointer<Element>, _ order: WeightOrder, _ scratch: ScratchMemory,
    transpose: (Int, Int, UnsafePointer<Element>, UnsafeMutablePointer<Element>) -> Void,
    _ body: (_ set: Int, _ filters: Range<Int>, _ rows: WeightRows<Element>) -> Void
  ) {
    let filters = geometry.groupOutputChannels
    let step = order == .filtersFirst ? IntegerConvolution.channelBlock : filters
    for group in 0..<geometry.groups {
      for first in stride(from: 0, to: filters, by: max(step, 1)) {
        let range = first..<min(first + step, filters)
        let all = geometry.filtersLast(
          values, group: group, filters: range, order: order, scratch, transpose: transpose)
        for (index, own) in weights.enumerated() where own.group == group {
          let rows = rows(of: own, filters: range.count, from: all, scratch.next)
          body(index, range, WeightRows(rows, channels: range.count))
        }
      }
    }
  }

  /// The same of floats of an operand in which filters come first, as they lie there.
  func forEachRows(
    of values: UnsafeBufferPointer<Float>,
    _ body: (_ set: Int, _ filters: Range<Int>, _ rows: WeightRows<Float>) -> Void
  ) {
    let (filters, elements) = (geometry.groupOutputChannels, geometry.window.kernelCount)
    let count = filters * geometry.groupInputChannels * elements
    for (index, own) in weights.enumerated() {
      precondition(own.elements.count == elements, "a convolution's weights are whole")
      let rows = UnsafeBufferPointer(rebasing: values[own.group * count..<(own.group + 1) * count])
      body(index, 0..<filters, WeightRows(rows, channels: filters, kernelElements: elements))
    }
  }

  /// The rows of `weights` out of `filtersLast`, the weights of so many filters of its group as [filter][kernel element][channel].
  private func rows<Element>(
    of weights: Weights, filters: Int, from filtersLast: UnsafeBufferPointer<Element>,
    _ scratch: ScratchMemory
  ) -> UnsafeBufferPointer<Element> {
    let (depth, kernelCount) = (geometry.groupInputChannels, geometry.window.kernelCount)
    guard weights.elements != Array(0..<kernelCount) else { return filtersLast }
    let rows = scratch.buffer(of: Element.self, filters * weights.elements.count * depth)
    guard let x = filtersLast.baseAddress, var y = rows.baseAddress else { return .init(rows) }
    for filter in 0..<filters {
      for element in weights.elements {
        y.update(from: x + (filter * kernelCount + element) * depth, count: depth)
        y += depth
      }
    }
    return .init(rows)
  }
}

/// How the weights of a group lie in an operand: for a convolution [filters][channels][kernel elements], for a
/// transposed one [channels][filters][kernel elements].
enum WeightOrder: Sendable {
  case filtersFirst
  case channelsFirst
}

extension ConvolutionGeometry {
  /// The weights of some filters of `group` as [filter][kernel element][channel], in place where they lie so, or in `scratch` by way
  /// of `transpose(rows, columns, from, to)`.
  ///
  /// - Precondition: all filters, where they do not come first.
  func filtersLast<Element>(
    _ weights: UnsafeBufferPointer<Element>, group: Int, filters: Range<Int>, order: WeightOrder,
    _ scratch: ScratchMemory,
    transpose: (Int, Int, UnsafePointer<Element>, UnsafeMutablePointer<Element>) -> Void
  ) -> UnsafeBufferPointer<Element> {
    let (all, depth) = (groupOutputChannels, groupInputChannels)
    precondition(order == .filtersFirst || filters == 0..<all, "filters that lie apart")
    let matrices = order == .filtersFirst ? filters.count : 1
    let positions = order == .filtersFirst ? window.kernelCount : all * window.kernelCount
    let (size, each) = (depth * positions, depth * window.kernelCount)
    let first = (group * all + filters.lowerBound) * each
    let own = UnsafeBufferPointer(rebasing: weights[first..<first + filters.count * each])
    guard depth > 1, positions > 1 else { return own }
    let target = scratch.buffer(of: Element.self, own.count)
    guard let x = own.baseAddress, let y = target.baseAddress else { return .init(target) }
    for matrix in 0..<matrices {
      transpose(depth, positions, x + matrix * size, y + matrix * size)
    }
    return .init(target)
  }
}
