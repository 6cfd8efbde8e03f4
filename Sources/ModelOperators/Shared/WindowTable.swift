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
    // Axis by axis: each window of the axes before, by each along this one.
    var (starts, taps): ([Int], [Int32]) = ([0, 1], [0])
    for axis in 0..<geometry.rank {
      let (extent, windows) = (Int32(geometry.input[axis]), geometry.windows(along: axis))
      var (ends, wider): ([Int], [Int32]) = ([0], [])
      for outer in 0..<starts.count - 1 {
        for window in windows {
          for tap in taps[starts[outer]..<starts[outer + 1]] {
            for place in window { wider.append(tap * extent + place) }
          }
          ends.append(wider.count)
        }
      }
      (starts, taps) = (ends, wider)
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

  /// The greatest element of each window, and where it is of all elements: `first` for that at `x`, −1 for a window without any.
  func maxima(
    _ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>,
    places: UnsafeMutablePointer<Int64>, first: Int
  ) {
    let (starts, taps) = (starts.elements(of: Int.self), taps.elements(of: Int32.self))
    for position in 0..<positions {
      var (greatest, place) = (-Float.infinity, -1)
      for tap in starts[position]..<starts[position + 1] {
        let value = x[Int(taps[tap])]
        guard place < 0 || value > greatest || value.isNaN else { continue }
        (greatest, place) = (value, first + Int(taps[tap]))
      }
      y[position] = greatest
      places[position] = Int64(place)
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
    kernel(planes: planes) { [positions, input] frame, plane in
      body(
        frame.input(0, as: Float.self) + plane * input,
        frame.output(0, as: Float.self) + plane * positions)
    }
  }

  /// A kernel of ``maxima(_:to:places:first:)`` for each of `planes` planes.
  func placesKernel(planes: Int) -> PlannedKernel {
    kernel(planes: planes) { frame, plane in
      maxima(
        frame.input(0, as: Float.self) + plane * input,
        to: frame.output(0, as: Float.self) + plane * positions,
        places: frame.output(1, as: Int64.self) + plane * positions, first: plane * input)
    }
  }

  private func kernel(
    planes: Int, _ body: @escaping @Sendable (KernelFrame, _ plane: Int) -> Void
  ) -> PlannedKernel {
    let share = max(1, (1 << 13) / max(1, positions))
    return PlannedKernel { (frame) throws(ModelError) in
      frame.pool.run(tasks: (planes + share - 1) / share) { task in
        for plane in task * share..<min(planes, (task + 1) * share) { body(frame, plane) }
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
