import ModelIR
import TensorCore

/// How the elements of a weight belong to channels: the flat weight is [groups, rows, channels, inner], and
/// the channel of an element is group · channels + channel.
package struct ChannelLayout: Sendable {
  package let groups: Int
  package let rows: Int
  package let channels: Int
  package let inner: Int

  package init(groups: Int = 1, rows: Int = 1, channels: Int, inner: Int = 1) {
    self.groups = groups
    self.rows = rows
    self.channels = channels
    self.inner = inner
  }

  /// Channels of all groups.
  package var count: Int { groups * channels }

  /// The channel of the element with flat index `flat`.
  package func channel(of flat: Int) -> Int {
    flat / (rows * channels * inner) * channels + flat / inner % channels
  }

  /// The weight with every element multiplied by its channel's factor in `double` and rounded once.
  package func scale(_ weight: Tensor, by factors: [Double]) throws(ModelError) -> Tensor {
    guard weight.element == .float32 else {
      var values = weight.doubles()
      for index in values.indices { values[index] *= factors[channel(of: index)] }
      return Tensor(weight.element, weight.shape, doubles: values)
    }
    return try Tensor(weight.shape, of: Float.self) { target throws(ModelError) in
      weight.withElements(of: Float.self) { source in
        var position = 0
        for group in 0..<groups {
          for _ in 0..<rows {
            for channel in 0..<channels {
              let factor = factors[group * channels + channel]
              for _ in 0..<inner {
                target[position] = Float(Double(source[position]) * factor)
                position += 1
              }
            }
          }
        }
      }
    }
  }

  /// For each channel of `outputs`, Σ w · shift over the weight's elements, this layout being that of
  /// the shifted channels.
  func contributions(of shift: [Double], through weight: Tensor, to outputs: ChannelLayout)
    -> [Double]
  {
    var sums = [Double](repeating: 0, count: outputs.count)
    let values = weight.doubles()
    for index in values.indices {
      sums[outputs.channel(of: index)] += values[index] * shift[channel(of: index)]
    }
    return sums
  }
}
