import ModelIR
import ModelKernels
import TensorCore

/// The windows of one plane: for each output position, the flat positions in the image that it covers.
struct WindowTable: Sendable {
  let positions: Int
  let input: Int
  private let starts: KernelMemory
  private let taps: KernelMemory

  init(_ geometry: WindowGeometry) {
    positions = geometry.outputCount
    input = geometry.inputCount
    var starts = [0]
    var taps: [Int32] = []
    for position in 0..<positions {
      taps += geometry.taps(at: position).map { Int32($0.input) }
      starts.append(taps.count)
    }
    self.starts = KernelMemory(starts)
    self.taps = KernelMemory(taps)
  }

  /// The greatest element of each window; NaN where there is one.
  func maxima(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>) {
    let (starts, taps) = (starts.elements(of: Int.self), taps.elements(of: Int32.self))
    for position in 0..<positions {
      var greatest = -Float.infinity
      for tap in starts[position]..<starts[position + 1] {
        let value = x[Int(taps[tap])]
        if value > greatest || value.isNaN { greatest = value }
      }
      y[position] = greatest
    }
  }

  /// The sum of each window times its factor.
  func sums(
    _ x: UnsafePointer<Float>, times factors: UnsafePointer<Float>,
    to y: UnsafeMutablePointer<Float>
  ) {
    let (starts, taps) = (starts.elements(of: Int.self), taps.elements(of: Int32.self))
    for position in 0..<positions {
      var sum: Float = 0
      for tap in starts[position]..<starts[position + 1] { sum += x[Int(taps[tap])] }
      y[position] = sum * factors[position]
    }
  }

  /// The greatest element of each of these windows in every channel of a channels-last image.
  func maxima(
    _ x: UnsafePointer<Float>, _ windows: Range<Int>, channels: Int,
    to y: UnsafeMutablePointer<Float>
  ) {
    let (starts, taps) = (starts.elements(of: Int.self), taps.elements(of: Int32.self))
    for position in windows {
      let greatest = y + position * channels
      greatest.update(repeating: -Float.infinity, count: channels)
      for tap in starts[position]..<starts[position + 1] {
        let values = x + Int(taps[tap]) * channels
        for c in 0..<channels {
          let value = values[c]
          greatest[c] = value > greatest[c] || value.isNaN ? value : greatest[c]
        }
      }
    }
  }

  /// A kernel that calls `body` for some windows of each of `images` channels-last images.
  func kernel(
    images: Int, channels: Int,
    _ body:
      @escaping @Sendable (
        UnsafePointer<Float>, Range<Int>, UnsafeMutablePointer<Float>
      ) -> Void
  ) -> PlannedKernel {
    PlannedKernel(operandLayouts: [.channelsLast], outputLayouts: [.channelsLast]) {
      [positions, input] (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      for image in 0..<images {
        frame.pool.share(positions, least: max(1, (1 << 13) / max(1, channels))) { windows in
          body(x + image * input * channels, windows, y + image * positions * channels)
        }
      }
    }
  }

  /// A kernel that calls `body` for each of `planes` planes.
  func kernel(
    planes: Int,
    _ body: @escaping @Sendable (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) -> PlannedKernel {
    let share = max(1, (1 << 13) / max(1, positions))
    return PlannedKernel { [positions, input] (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      frame.pool.run(tasks: (planes + share - 1) / share) { task in
        for plane in task * share..<min(planes, (task + 1) * share) {
          body(x + plane * input, y + plane * positions)
        }
      }
    }
  }
}

extension GlobalPoolingOperator {
  /// One reduction for each plane.
  func kernel(_ request: KernelRequest, _ reduction: RowReduction) throws(ModelError)
    -> PlannedKernel?
  {
    let shape = try request.operands.required(0).shape
    let (planes, inner) = (shape.count(0..<2), shape.count(2..<shape.rank))
    guard request.isFloat32, inner > 0 else { return nil }
    let tier = request.tier
    let share = max(1, (1 << 14) / inner)
    return PlannedKernel { (frame) throws(ModelError) in
      let (x, y) = (frame.input(0, as: Float.self), frame.output(0, as: Float.self))
      frame.pool.run(tasks: (planes + share - 1) / share) { task in
        let first = task * share
        tier.reduce(
          reduction, rows: min(share, planes - first), columns: inner, x + first * inner,
          row: inner, to: y + first)
      }
    }
  }
}
