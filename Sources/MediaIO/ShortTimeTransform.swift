import Foundation
import TensorCore

/// Short-time Fourier transforms of any length whose prime factors are small, and back, in double
/// precision with a fixed order of additions.
package struct ShortTimeTransform: Sendable {
  package let length: Int
  package let hop: Int
  /// Periodic Hann.
  let window: [Double]
  package var bins: Int { length / 2 + 1 }
  private let fourier: FourierTransform

  package init(length: Int, hop: Int) {
    self.length = length
    self.hop = hop
    window = (0..<length).map { 0.5 - 0.5 * cos(2 * .pi * Double($0) / Double(length)) }
    fourier = FourierTransform(length)
  }

  /// The energy of the window.
  package var windowEnergy: Double { window.reduce(0) { $0 + $1 * $1 } }

  /// Real and imaginary parts, row-major, columns × bins. The signal is reflected at both ends, which are
  /// not repeated; it has more than half a window.
  package func spectrum(
    of samples: [Double], columns: Int
  ) -> (real: [Double], imaginary: [Double]) {
    var real = [Double](repeating: 0, count: columns * bins)
    var imaginary = real
    let last = samples.count - 1
    var (a, b) = ([Double](repeating: 0, count: length), [Double](repeating: 0, count: length))
    for column in 0..<columns {
      let start = column * hop - length / 2
      for index in 0..<length {
        var position = abs(start + index)
        if position > last { position = 2 * last - position }
        a[index] = window[index] * samples[max(0, position)]
        b[index] = 0
      }
      fourier.transform(&a, &b)
      for bin in 0..<bins {
        real[column * bins + bin] = a[bin]
        imaginary[column * bins + bin] = b[bin]
      }
    }
    return (real, imaginary)
  }

  /// The signal whose windows are nearest to these spectra, `count` samples.
  package func signal(real: [Double], imaginary: [Double], count: Int) -> [Double] {
    let columns = real.count / bins
    var sum = [Double](repeating: 0, count: count)
    var weight = sum
    var (a, b) = ([Double](repeating: 0, count: length), [Double](repeating: 0, count: length))
    for column in 0..<columns {
      for bin in 0..<length {
        let mirrored = bin >= bins
        let from = column * bins + (mirrored ? length - bin : bin)
        a[bin] = real[from]
        // The conjugate, so that the forward transform goes back.
        b[bin] = mirrored ? imaginary[from] : -imaginary[from]
      }
      fourier.transform(&a, &b)
      let start = column * hop - length / 2
      for index in 0..<length where start + index >= 0 && start + index < count {
        sum[start + index] += window[index] * a[index] / Double(length)
        weight[start + index] += window[index] * window[index]
      }
    }
    return zip(sum, weight).map { $1 > 1e-8 ? $0 / $1 : 0 }
  }

  /// A signal with these magnitudes (columns × bins), by Griffin and Lim: phases that start from a fixed
  /// pattern and are made consistent again and again.
  package func griffinLim(magnitudes: [Double], count: Int, iterations: Int) -> [Double] {
    let columns = magnitudes.count / bins
    var numbers = RepeatableNumbers(seed: 0)
    var real = magnitudes
    var imaginary = magnitudes
    for index in magnitudes.indices {
      let phase = 2 * Double.pi * numbers.fraction()
      real[index] *= cos(phase)
      imaginary[index] *= sin(phase)
    }
    var samples = signal(real: real, imaginary: imaginary, count: count)
    for _ in 0..<iterations {
      (real, imaginary) = spectrum(of: samples, columns: columns)
      for index in magnitudes.indices {
        let size = (real[index] * real[index] + imaginary[index] * imaginary[index]).squareRoot()
        let scale = size > 1e-12 ? magnitudes[index] / size : 0
        real[index] *= scale
        imaginary[index] *= scale
      }
      samples = signal(real: real, imaginary: imaginary, count: count)
    }
    return samples
  }
}

/// The discrete Fourier transform of a length, by its prime factors.
struct FourierTransform: Sendable {
  private let length: Int
  private let factors: [Int]
  private let cosines: [Double]
  private let sines: [Double]

  init(_ length: Int) {
    self.length = length
    var (rest, factors) = (length, [Int]())
    var factor = 2
    while rest > 1 {
      while rest % factor == 0 {
        factors.append(factor)
        rest /= factor
      }
      factor += 1
    }
    self.factors = factors
    let turn = 2 * Double.pi / Double(length)
    cosines = (0..<length).map { cos(turn * Double($0)) }
    sines = (0..<length).map { -sin(turn * Double($0)) }
  }

  /// Replaces a complex signal by its transform.
  func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
    var (otherReal, otherImaginary) = (real, imaginary)
    real.withUnsafeMutableBufferPointer { a in
      imaginary.withUnsafeMutableBufferPointer { b in
        otherReal.withUnsafeMutableBufferPointer { c in
          otherImaginary.withUnsafeMutableBufferPointer { d in
            var (from, to) = ((a, b), (c, d))
            // Stockham's order: blocks of what is done grow by a factor each time.
            var done = 1
            for factor in factors {
              let groups = length / (done * factor)
              for block in 0..<done {
                for group in 0..<groups {
                  for k in 0..<factor {
                    var (x, y) = (0.0, 0.0)
                    for j in 0..<factor {
                      let source = (j * groups + group) + block * groups * factor
                      let turn = (j * (block + k * done) * groups) % length
                      let (u, v) = (from.0[source], from.1[source])
                      x += u * cosines[turn] - v * sines[turn]
                      y += u * sines[turn] + v * cosines[turn]
                    }
                    let target = (block + k * done) * groups + group
                    to.0[target] = x
                    to.1[target] = y
                  }
                }
              }
              (from, to) = (to, from)
              done *= factor
            }
            if factors.count % 2 == 1 {
              for index in 0..<length {
                a[index] = c[index]
                b[index] = d[index]
              }
            }
          }
        }
      }
    }
  }
}
