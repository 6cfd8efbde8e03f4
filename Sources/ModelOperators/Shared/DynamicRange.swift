/// The uint8 grid that values ask for by themselves: from = min(0, min x), to = max(0, max x),
/// scale = (to − from) / 255, zero point = clamp(round(−from / scale), 0, 255); every step in float32, ties to
/// even; a scale of 1 for a range of 0. Section DynamicQuantizeLinear of
/// `formats/operators.md`.
struct DynamicRange {
  let scale: Float
  let zeroPoint: Float

  init(_ values: some Sequence<Float>) {
    var (from, to): (Float, Float) = (0, 0)
    for value in values {
      if value < from { from = value }
      if value > to { to = value }
    }
    scale = to == from ? 1 : (to - from) / 255
    zeroPoint = DynamicRange.clamped((-from / scale).rounded(.toNearestOrEven))
  }

  /// clamp(round(x / scale) + zero point, 0, 255)
  func step(of x: Float) -> Float {
    DynamicRange.clamped((x / scale).rounded(.toNearestOrEven) + zeroPoint)
  }

  /// The value that the step of `x` stands for.
  func rounded(_ x: Float) -> Float { (step(of: x) - zeroPoint) * scale }

  /// A NaN is 0.
  private static func clamped(_ step: Float) -> Float { step > 0 ? min(step, 255) : 0 }
}
