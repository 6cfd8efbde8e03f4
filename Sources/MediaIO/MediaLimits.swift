/// What a media file may claim before it is refused. Everything is checked before memory is taken.
package enum MediaLimits {
  /// Seconds of one recording.
  package static let seconds = 3600
  package static let channels = 32
  /// Frames of one video.
  package static let frames = 90_000
  package static let sampleRates = 1000...384_000
  /// Pixels along one side of an image.
  package static let side = 16_384
  package static let pixels = 1 << 26
  /// Below this peak a recording holds no sound: four steps of 16-bit audio.
  package static let silence: Float = 4 / 32768
}
