import ModelIR
import TensorCore

/// Every number that a kernel of a convolution needs, for one set of concrete shapes.
package struct ConvolutionGeometry: Sendable, Hashable {
  package let batch: Int
  package let groups: Int
  package let inputChannels: Int
  package let outputChannels: Int
  /// The window over the operand's image; for a transposed convolution the window over the
  /// *result's* image, whose output positions are the operand's elements.
  package let window: WindowGeometry

  package init(_ op: Convolution, input: Shape, weight: Shape) throws(ModelError) {
    batch = input[0]
    groups = op.groups
    inputChannels = input[1]
    outputChannels = weight[0]
    window = try op.window.geometry(
      input: Array(input.dimensions.dropFirst(2)), kernel: Array(weight.dimensions.dropFirst(2)))
  }

  package init(_ op: TransposedConvolution, input: Shape, weight: Shape) throws(ModelError) {
    batch = input[0]
    groups = op.groups
    inputChannels = input[1]
    outputChannels = weight[1] * op.groups
    window = try op.geometry(
      input: Array(input.dimensions.dropFirst(2)), kernel: Array(weight.dimensions.dropFirst(2)))
  }

  /// Channels of one group.
  package var groupInputChannels: Int { inputChannels / groups }
  package var groupOutputChannels: Int { outputChannels / groups }

  /// One filter for each channel.
  package var isDepthwise: Bool {
    groups == inputChannels && groups == outputChannels && groups > 1
  }

  /// Products that are summed, padding included.
  package var multiplyAccumulates: Int {
    batch * outputChannels * groupInputChannels * window.kernelCount * window.outputCount
  }
}
