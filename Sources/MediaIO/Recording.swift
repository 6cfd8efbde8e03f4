import CSndfile
import Foundation
import TensorCore

/// Mono sound: what a speech file holds once its channels are averaged.
package struct Recording: Sendable {
  /// In [-1, 1] for files that do not clip.
  package let samples: [Float]
  /// Samples a second.
  package let rate: Int

  package init(samples: [Float], rate: Int) {
    self.samples = samples
    self.rate = rate
  }

  package var seconds: Double { Double(samples.count) / Double(rate) }

  /// Reads WAV, FLAC or Ogg; several channels become their mean.
  ///
  /// - Throws: `missing-input`; `unsupported-feature` for another format; `malformed-input` for a
  ///   corrupt or truncated file; `limit-exceeded` beyond ``MediaLimits``; `invalid-value` for a
  ///   recording without sound.
  package init(contentsOf path: String) throws(ModelError) {
    self = try during("reading speech '\(path)'") { () throws(ModelError) in
      try MediaFile.checkExists(path)
      try Recording.checkContainer(path)
      let recording = try SoundFile(path).recording()
      try recording.checkSound()
      return recording
    }
  }

  private func checkSound() throws(ModelError) {
    var peak: Float = 0
    for sample in samples {
      guard sample.isFinite else {
        throw ModelError(.malformedInput, "a sample is not a finite number")
      }
      peak = max(peak, abs(sample))
    }
    guard !samples.isEmpty else { throw ModelError(.invalidValue, "the recording is empty") }
    guard peak >= MediaLimits.silence else {
      throw ModelError(
        .invalidValue, "the recording is silent: its peak is \(peak) of full scale")
    }
  }

  /// Looks at the first bytes, so that libsndfile only ever parses the formats named here, and holds
  /// a WAV file to the length that it declares.
  private static func checkContainer(_ path: String) throws(ModelError) {
    guard let file = FileHandle(forReadingAtPath: path) else {
      throw ModelError(.inputOutput, "the file cannot be opened")
    }
    defer { try? file.close() }
    let head: [UInt8]
    let size: UInt64
    do {
      head = [UInt8](try file.read(upToCount: 12) ?? Data())
      size = try file.seekToEnd()
    } catch {
      throw ModelError(.inputOutput, "the file cannot be read: \(error.localizedDescription)")
    }
    guard head.count == 12 else {
      throw ModelError(.malformedInput, "\(head.count) bytes are too few for a sound file")
    }
    switch String(decoding: head[0..<4], as: UTF8.self) {
    case "fLaC", "OggS": return
    case "RIFF" where String(decoding: head[8..<12], as: UTF8.self) == "WAVE":
      let declared =
        UInt64(head[4]) | UInt64(head[5]) << 8 | UInt64(head[6]) << 16
        | UInt64(head[7]) << 24
      // Writers that stream leave 0 or all ones in place of the length.
      guard declared == 0 || declared == 0xFFFF_FFFF || declared + 8 <= size + 1 else {
        throw ModelError(
          .malformedInput,
          "the file is truncated: \(declared + 8) bytes are declared and \(size) are there")
      }
    default:
      throw ModelError(.unsupportedFeature, "the file is not WAV, FLAC or Ogg")
    }
  }

  /// Writes a 16-bit WAV file through libsndfile; samples beyond full scale are clipped. It is there
  /// completely or not at all.
  package func write(to path: String) throws(ModelError) {
    guard samples.count < 1 << 30, rate > 0, rate < 1 << 30 else {
      throw ModelError(.limitExceeded, "\(samples.count) samples at \(rate) Hz are no WAV file")
    }
    var info = SF_INFO()
    info.samplerate = Int32(rate)
    info.channels = 1
    info.format = Int32(SF_FORMAT_WAV | SF_FORMAT_PCM_16)
    let file = try NewFile(path)
    guard let handle = sf_open(file.sibling, Int32(SFM_WRITE), &info) else {
      throw ModelError(
        .cannotCreate, "'\(path)' cannot be written: \(String(cString: sf_strerror(nil)))")
    }
    let values = samples.map { sample in
      Int16(min(32767, max(-32768, sample.isNaN ? 0 : (sample * 32768).rounded(.toNearestOrEven))))
    }
    let written = sf_write_short(handle, values, sf_count_t(values.count))
    let closed = sf_close(handle)
    guard written == sf_count_t(values.count), closed == 0 else {
      throw ModelError(.inputOutput, "'\(path)' could not be written completely")
    }
    try file.finish()
  }
}

/// An open sound file; closed when it goes.
private struct SoundFile: ~Copyable {
  private let handle: OpaquePointer
  private let info: SF_INFO

  init(_ path: String) throws(ModelError) {
    var info = SF_INFO()
    guard let handle = sf_open(path, Int32(SFM_READ), &info) else {
      throw ModelError(
        .malformedInput, "not a readable sound file: \(String(cString: sf_strerror(nil)))")
    }
    self.handle = handle
    self.info = info
  }

  deinit { sf_close(handle) }

  func recording() throws(ModelError) -> Recording {
    let rate = Int(info.samplerate)
    let channels = Int(info.channels)
    guard MediaLimits.sampleRates.contains(rate) else {
      throw ModelError(.limitExceeded, "\(rate) samples a second are outside the range read")
    }
    guard channels >= 1, channels <= MediaLimits.channels else {
      throw ModelError(.limitExceeded, "\(channels) channels are not 1 to \(MediaLimits.channels)")
    }
    let maximum = Int64(MediaLimits.seconds) * Int64(rate)
    let declared = Int64(info.frames)
    let (product, overflow) = declared.multipliedReportingOverflow(by: Int64(channels))
    guard declared >= 0, !overflow, product >= 0, declared <= maximum else {
      throw ModelError(
        .limitExceeded, "the recording is longer than \(MediaLimits.seconds) seconds")
    }
    var samples: [Float] = []
    samples.reserveCapacity(Int(declared))
    let blockFrames = 16_384
    var block = [Float](repeating: 0, count: blockFrames * channels)
    let share = 1 / Float(channels)
    while true {
      let read = Int(sf_readf_float(handle, &block, sf_count_t(blockFrames)))
      guard read > 0 else { break }
      guard Int64(samples.count + read) <= maximum else {
        throw ModelError(
          .limitExceeded, "the recording is longer than \(MediaLimits.seconds) seconds")
      }
      if channels == 1 {
        samples.append(contentsOf: block[0..<read])
      } else {
        for frame in 0..<read {
          var sum: Float = 0
          for channel in 0..<channels { sum += block[frame * channels + channel] }
          samples.append(sum * share)
        }
      }
    }
    guard sf_error(handle) == 0 else {
      throw ModelError(
        .malformedInput, "the sound is corrupt: \(String(cString: sf_strerror(handle)))")
    }
    guard Int64(samples.count) == declared else {
      throw ModelError(
        .malformedInput,
        "the sound is truncated: \(declared) samples are declared and \(samples.count) are there")
    }
    return Recording(samples: samples, rate: rate)
  }
}
