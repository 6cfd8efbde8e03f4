import CKernels
import TensorCore

/// Makes the sets of weights of a kernel, with memory to work in, and hands on what it has made: the number of a set, the first of the
/// channels, which a block of channels starts with, and their weights.
package typealias MakeWeights<Element> =
  @Sendable (ScratchMemory, _ pack: (Int, Int, WeightRows<Element>) -> Void) throws(ModelError) ->
  Void

/// Weights of some output channels where they lie before they are packed: element `i` of a channel is the `i`-th that the taps,
/// pixels and channels of a position read.
package struct WeightRows<Element> {
  private let values: UnsafeBufferPointer<Element>
  let channels: Int
  let steps: ck_weight_steps

  /// Channel after channel.
  package init(_ values: UnsafeBufferPointer<Element>, channels: Int) {
    self.values = values
    self.channels = channels
    steps = ck_weight_steps(channel_step: values.count / max(channels, 1), step: 1, inner: 0)
  }

  /// Element after element, each of all channels.
  package init(byElement values: UnsafeBufferPointer<Element>, channels: Int) {
    self.values = values
    self.channels = channels
    steps = ck_weight_steps(channel_step: 1, step: channels, inner: 0)
  }

  /// Channel after channel, each with `elements` of the kernel for one input channel after the other.
  package init(
    _ values: UnsafeBufferPointer<Element>, channels: Int, kernelElements elements: Int
  ) where Element == Float {
    self.values = values
    self.channels = channels
    steps = ck_weight_steps(
      channel_step: values.count / max(channels, 1), step: 1, inner: elements)
  }

  /// The first of them, where each channel has `count` elements.
  ///
  /// - Precondition: it has.
  func start(of count: Int) -> UnsafePointer<Element>? {
    precondition(values.count == channels * count, "weights of the taps")
    return values.baseAddress
  }
}
