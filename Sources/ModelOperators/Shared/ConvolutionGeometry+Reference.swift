/// The sums of products of convolutions as plain loops, over floats or integers alike.
extension ConvolutionGeometry {
  /// Σ_c Σₖ image[n, c, o + k] · weight[m, c, k] for each n, m and output position o; what lies outside
  /// the image adds nothing.
  func convolve<Number: Numeric>(_ image: [Number], _ weight: [Number]) -> [Number] {
    let (filterChannels, filters) = (groupInputChannels, groupOutputChannels)
    let imageCount = window.inputCount
    let kernelCount = window.kernelCount
    let positions = window.outputCount
    var sums = [Number](repeating: 0, count: batch * outputChannels * positions)
    for position in 0..<positions {
      let taps = window.taps(at: position)
      for n in 0..<batch {
        for m in 0..<outputChannels {
          let first = n * inputChannels + m / filters * filterChannels
          var sum: Number = 0
          for c in 0..<filterChannels {
            let (source, filter) = (
              (first + c) * imageCount, (m * filterChannels + c) * kernelCount
            )
            for tap in taps { sum += image[source + tap.input] * weight[filter + tap.kernel] }
          }
          sums[(n * outputChannels + m) * positions + position] = sum
        }
      }
    }
    return sums
  }

  /// The transpose: each image element adds its multiple of the kernel to the result.
  func convolveTransposed<Number: Numeric>(_ image: [Number], _ weight: [Number]) -> [Number] {
    let filters = groupOutputChannels
    let resultCount = window.inputCount
    let kernelCount = window.kernelCount
    let positions = window.outputCount
    var sums = [Number](repeating: 0, count: batch * outputChannels * resultCount)
    for position in 0..<positions {
      let taps = window.taps(at: position)
      for n in 0..<batch {
        for c in 0..<inputChannels {
          let value = image[(n * inputChannels + c) * positions + position]
          let first = n * outputChannels + c / groupInputChannels * filters
          for m in 0..<filters {
            let (target, filter) = ((first + m) * resultCount, (c * filters + m) * kernelCount)
            for tap in taps { sums[target + tap.input] += value * weight[filter + tap.kernel] }
          }
        }
      }
    }
    return sums
  }
}
