import Foundation
import ModelKernels

/// Repeatable numbers (SplitMix64).
struct Samples: RandomNumberGenerator {
  private var state: UInt64
  init(_ seed: Int) { state = UInt64(seed) &* 0x9E37_79B9_7F4A_7C15 }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func integer(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
  mutating func float(_ range: ClosedRange<Float>) -> Float {
    Float.random(in: range, using: &self)
  }
  mutating func pick<Element>(_ list: [Element]) -> Element { list[integer(0...list.count - 1)] }
  mutating func flag() -> Bool { next() & 1 == 1 }

  mutating func bytes(_ count: Int, _ pattern: BytePattern = .random) -> [Int8] {
    (0..<count).map { index in
      switch pattern {
      case .random: Int8(truncatingIfNeeded: next())
      case .lowest: -128
      case .highest: 127
      case .alternating: index % 2 == 0 ? -128 : 127
      }
    }
  }

  mutating func floats(_ count: Int, _ range: ClosedRange<Float>) -> [Float] {
    (0..<count).map { _ in float(range) }
  }
}

/// Contents that provoke saturation and overflow.
enum BytePattern: CaseIterable, Sendable {
  case random, lowest, highest, alternating
}

/// Lengths around every vector width.
let lengths = [0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100, 257]

/// True where /proc/cpuinfo lists the flag.
func processorHas(_ flag: String) -> Bool {
  guard let text = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
    let line = text.split(separator: "\n").first(where: { $0.hasPrefix("flags") })
  else { return false }
  return line.split(separator: " ").contains(Substring(flag))
}
