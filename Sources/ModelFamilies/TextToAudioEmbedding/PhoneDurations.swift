import Foundation
import TensorCore

/// Whole video frames of phones.
package enum PhoneDurations {
  /// Frames that one utterance may last: an hour.
  static let maximumFrames = 90_000

  /// From logarithms of one more than the frames, by cumulative rounding, so that no error adds up: the end
  /// of each phone is the rounded sum so far, halves to the even number.
  ///
  /// - Parameter stretch: what every duration is multiplied by.
  /// - Throws: `invalid-value` for a duration that is not a number, `limit-exceeded` beyond an hour.
  package static func frames(
    _ logarithms: [Float], stretch: Double = 1
  ) throws(ModelError) -> [Int] {
    var (sum, last) = (0.0, 0)
    var frames: [Int] = []
    for logarithm in logarithms {
      guard logarithm.isFinite else {
        throw ModelError(.invalidValue, "a phone's duration is \(logarithm)")
      }
      sum += max(0, exp(Double(logarithm)) - 1) * stretch
      guard sum <= Double(maximumFrames) else {
        throw ModelError(.limitExceeded, "the text lasts more than \(maximumFrames) frames")
      }
      let end = Int(sum.rounded(.toNearestOrEven))
      frames.append(end - last)
      last = end
    }
    return frames
  }

  /// Which phone each frame shows: the first as often as it lasts, then the second.
  package static func phoneOfFrame(_ frames: [Int]) -> [Int] {
    frames.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
  }

  /// Durations as they are given: numbers separated by commas or spaces, one for each phone.
  package static func parse(_ text: String, phones: Int) throws(ModelError) -> [Int] {
    let parts = text.split(whereSeparator: { $0 == "," || $0.isWhitespace })
    let frames = parts.compactMap { Int($0) }
    guard frames.count == parts.count, frames.allSatisfy({ (0...10_000).contains($0) }) else {
      throw ModelError(.usage, "durations are whole numbers of frames, 0 to 10000")
    }
    guard frames.count == phones else {
      throw ModelError(.usage, "\(frames.count) durations for \(phones) phones")
    }
    guard frames.reduce(0, +) > 0 else {
      throw ModelError(.usage, "the durations leave no frame")
    }
    return frames
  }
}
