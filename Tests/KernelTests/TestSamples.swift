import Foundation
import ModelKernels
import Synchronization
import TensorCore

/// Repeatable numbers of many kinds.
struct Samples: RandomNumberGenerator {
  private var numbers: RepeatableNumbers
  init(_ seed: Int) { numbers = RepeatableNumbers(seed: UInt64(seed)) }

  mutating func next() -> UInt64 { numbers.next() }

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

/// How often something was made.
final class Count: Sendable {
  private let made = Mutex(0)
  var value: Int { made.withLock { $0 } }

  func increase() { made.withLock { $0 += 1 } }
}
