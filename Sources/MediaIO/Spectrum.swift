import Foundation

/// Magnitudes of the 800-point Fourier transform of Hann-windowed speech.
///
/// 800 = 32 · 25, so one transform is 25 short ones of 32 points, a twist, and 32 of 25 points. Two real
/// windows travel as the real and imaginary part of one.
struct Spectrum {
  static let length = MelSpectrogram.windowLength
  static let bins = length / 2 + 1
  private static let inner = 32
  private static let outer = 25

  private let window: [Double]
  /// cos and sin of −2πk/800.
  private let cosines: [Double]
  private let sines: [Double]

  init() {
    let turn = 2 * Double.pi / Double(Spectrum.length)
    window = (0..<Spectrum.length).map { 0.5 - 0.5 * cos(turn * Double($0)) }
    cosines = (0..<Spectrum.length).map { cos(turn * Double($0)) }
    sines = (0..<Spectrum.length).map { -sin(turn * Double($0)) }
  }

  /// Row-major, `columns` × ``bins``. The signal is reflected at both ends, which are not repeated.
  func magnitudes(of samples: [Float], columns: Int) -> [Double] {
    var result = [Double](repeating: 0, count: columns * Spectrum.bins)
    var real = [Double](repeating: 0, count: Spectrum.length)
    var imaginary = real
    for column in stride(from: 0, to: columns, by: 2) {
      fill(&real, from: samples, column: column)
      if column + 1 < columns {
        fill(&imaginary, from: samples, column: column + 1)
      } else {
        for index in imaginary.indices { imaginary[index] = 0 }
      }
      transform(&real, &imaginary)
      for bin in 0..<Spectrum.bins {
        let mirror = (Spectrum.length - bin) % Spectrum.length
        let (a, b) = (real[bin], imaginary[bin])
        let (c, d) = (real[mirror], imaginary[mirror])
        let first = ((a + c) * (a + c) + (b - d) * (b - d)).squareRoot() / 2
        let second = ((a - c) * (a - c) + (b + d) * (b + d)).squareRoot() / 2
        result[column * Spectrum.bins + bin] = first
        if column + 1 < columns { result[(column + 1) * Spectrum.bins + bin] = second }
      }
    }
    return result
  }

  private func fill(_ buffer: inout [Double], from samples: [Float], column: Int) {
    let start = column * MelSpectrogram.hop - Spectrum.length / 2
    let last = samples.count - 1
    for index in buffer.indices {
      var position = abs(start + index)
      if position > last { position = 2 * last - position }
      buffer[index] = window[index] * Double(samples[position])
    }
  }

  /// Replaces a complex signal by its transform.
  private func transform(_ real: inout [Double], _ imaginary: inout [Double]) {
    let (inner, outer, length) = (Spectrum.inner, Spectrum.outer, Spectrum.length)
    var twistedReal = [Double](repeating: 0, count: length)
    var twistedImaginary = twistedReal
    cosines.withUnsafeBufferPointer { cosines in
      sines.withUnsafeBufferPointer { sines in
        real.withUnsafeMutableBufferPointer { real in
          imaginary.withUnsafeMutableBufferPointer { imaginary in
            for b in 0..<outer {
              for c in 0..<inner {
                var (x, y) = (0.0, 0.0)
                for a in 0..<inner {
                  let turn = a * c % inner * outer
                  let (u, v) = (real[outer * a + b], imaginary[outer * a + b])
                  x += u * cosines[turn] - v * sines[turn]
                  y += u * sines[turn] + v * cosines[turn]
                }
                let turn = b * c
                twistedReal[c * outer + b] = x * cosines[turn] - y * sines[turn]
                twistedImaginary[c * outer + b] = x * sines[turn] + y * cosines[turn]
              }
            }
            for c in 0..<inner {
              for d in 0..<outer {
                var (x, y) = (0.0, 0.0)
                for b in 0..<outer {
                  let turn = b * d % outer * inner
                  let (u, v) = (twistedReal[c * outer + b], twistedImaginary[c * outer + b])
                  x += u * cosines[turn] - v * sines[turn]
                  y += u * sines[turn] + v * cosines[turn]
                }
                real[c + inner * d] = x
                imaginary[c + inner * d] = y
              }
            }
          }
        }
      }
    }
  }
}
