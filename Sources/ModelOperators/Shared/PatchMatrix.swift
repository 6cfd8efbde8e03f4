import ModelKernels

/// The windows of an image as the columns of a matrix: rows are (channel, kernel element), columns are
/// output positions. Elements outside the image are 0.
struct PatchMatrix: Sendable {
  /// Rows of one channel.
  let taps: Int
  /// Columns.
  let positions: Int
  private let rowLength: Int
  private let stride: Int
  private let outerTaps: Int
  private let lastTaps: Int
  private let outerRows: Int
  /// For each element of the kernel's outer axes and each row of the output: where the image's row
  /// starts, or −1 outside.
  private let starts: KernelMemory
  /// For each element of the kernel's last axis: its offset in the row, and the output columns
  /// low ..< high that it stays inside for.
  private let spans: KernelMemory

  /// - Parameter offsets: for each axis, where each kernel element lies from an output position's
  ///   `stride` multiple.
  init(input: [Int], output: [Int], strides: [Int], offsets: [[Int]]) {
    let last = input.count - 1
    rowLength = output[last]
    stride = strides[last]
    lastTaps = offsets[last].count
    positions = output.reduce(1, *)
    outerRows = rowLength == 0 ? 0 : positions / rowLength
    var outer = [[Int]](repeating: [Int](repeating: 0, count: outerRows), count: 1)
    var inner = outerRows
    for axis in 0..<last {
      inner /= max(1, output[axis])
      outer = outer.flatMap { rows in
        offsets[axis].map { offset in
          rows.indices.map { row in
            let place = row / inner % output[axis] * strides[axis] + offset
            guard rows[row] >= 0, place >= 0, place < input[axis] else { return -1 }
            return rows[row] * input[axis] + place
          }
        }
      }
    }
    outerTaps = outer.count
    taps = outerTaps * lastTaps
    let width = input[last]
    starts = KernelMemory(outer.flatMap { $0.map { $0 < 0 ? -1 : $0 * width } })
    let (step, length) = (stride, rowLength)
    spans = KernelMemory(
      offsets[last].flatMap { offset in
        let low = offset >= 0 ? 0 : (-offset + step - 1) / step
        let high = offset >= width ? 0 : (width - 1 - offset) / step + 1
        return [offset, min(low, length), max(min(high, length), min(low, length))]
      })
  }

  init(_ window: WindowGeometry) {
    self.init(
      input: window.input, output: window.output, strides: window.strides,
      offsets: (0..<window.rank).map { axis in
        (0..<window.kernel[axis]).map { $0 * window.dilations[axis] - window.before[axis] }
      })
  }

  /// Writes columns `columns` of `channels` channels of the image at `x`; rows of the matrix are `pitch`
  /// apart.
  func fill(
    _ x: UnsafePointer<Float>, channels: Range<Int>, channelStride: Int, columns: Range<Int>,
    to matrix: UnsafeMutablePointer<Float>, pitch: Int
  ) {
    let starts = self.starts.elements(of: Int.self)
    let spans = self.spans.elements(of: Int.self)
    let firstRow = columns.lowerBound / rowLength
    let lastRow = (columns.upperBound - 1) / rowLength
    let firstColumn = columns.lowerBound - firstRow * rowLength
    let endColumn = columns.upperBound - lastRow * rowLength
    var row = matrix + channels.lowerBound * taps * pitch
    for channel in channels {
      let plane = x + channel * channelStride
      for outer in 0..<outerTaps {
        let sources = starts + outer * outerRows
        for tap in 0..<lastTaps {
          let (offset, low, high) = (spans[3 * tap], spans[3 * tap + 1], spans[3 * tap + 2])
          var target = row
          var from = firstColumn
          for r in firstRow...lastRow {
            let to = r == lastRow ? endColumn : rowLength
            let source = sources[r]
            if source < 0 || high <= from || low >= to {
              target.update(repeating: 0, count: to - from)
            } else {
              let (a, b) = (max(low, from), min(high, to))
              if a > from { target.update(repeating: 0, count: a - from) }
              let place = plane + source + offset + a * stride
              let inside = target + (a - from)
              if stride == 1 {
                inside.update(from: place, count: b - a)
              } else {
                copy(place, count: b - a, to: inside)
              }
              if to > b { (target + (b - from)).update(repeating: 0, count: to - b) }
            }
            target += to - from
            from = 0
          }
          row += pitch
        }
      }
    }
  }

  /// Every ``stride``-th of the elements from `source` on.
  private func copy(
    _ source: UnsafePointer<Float>, count: Int, to target: UnsafeMutablePointer<Float>
  ) {
    var done = 0
    if stride == 2 {
      // The last of each sixteen is not read for itself, so it has to be one that is there.
      while done + 8 < count {
        let pairs = UnsafeRawPointer(source + 2 * done).loadUnaligned(as: SIMD16<Float>.self)
        UnsafeMutableRawPointer(target + done).storeBytes(of: pairs.evenHalf, as: SIMD8<Float>.self)
        done += 8
      }
    }
    for index in done..<count { target[index] = source[index &* stride] }
  }

  /// Writes `columns`, which need not be neighbours, of one image after the other; rows of the matrix are `pitch` apart.
  func gather(
    _ images: [UnsafePointer<Float>], channels: Int, channelStride: Int, columns: [Int],
    to matrix: UnsafeMutablePointer<Float>, pitch: Int
  ) {
    let places = places(of: columns)
    var row = matrix
    for channel in 0..<channels {
      for tap in 0..<taps {
        var target = row
        for image in images {
          let plane = image + channel * channelStride
          for index in 0..<columns.count {
            let place = places[tap &* columns.count &+ index]
            target[index] = place < 0 ? 0 : plane[place]
          }
          target += columns.count
        }
        row += pitch
      }
    }
  }

  /// For each element of the kernel, where each of `columns` reads a plane; −1 outside.
  private func places(of columns: [Int]) -> [Int] {
    let starts = self.starts.elements(of: Int.self)
    let spans = self.spans.elements(of: Int.self)
    return (0..<taps).flatMap { tap in
      let (outer, last) = (tap / lastTaps, tap % lastTaps)
      let (offset, low, high) = (spans[3 * last], spans[3 * last + 1], spans[3 * last + 2])
      return columns.map { position in
        let (row, column) = (position / rowLength, position % rowLength)
        let source = starts[outer * outerRows + row]
        guard source >= 0, low <= column, column < high else { return -1 }
        return source + offset + column * stride
      }
    }
  }

  /// y[position] = Σ over the window of w · x, for one plane.
  func filter(
    _ x: UnsafePointer<Float>, by w: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>
  ) {
    let starts = self.starts.elements(of: Int.self)
    let spans = self.spans.elements(of: Int.self)
    y.update(repeating: 0, count: positions)
    for r in 0..<outerRows {
      let target = y + r * rowLength
      for outer in 0..<outerTaps {
        let source = starts[outer * outerRows + r]
        guard source >= 0 else { continue }
        for tap in 0..<lastTaps {
          let (offset, low, high) = (spans[3 * tap], spans[3 * tap + 1], spans[3 * tap + 2])
          let weight = w[outer * lastTaps + tap]
          let place = x + source + offset
          if stride == 1 {
            for i in low..<high { target[i] += weight * place[i] }
          } else {
            for i in low..<high { target[i] += weight * place[i * stride] }
          }
        }
      }
    }
  }

  /// Adds the matrix of one channel, rows `pitch` apart, to the plane at `x`: the transpose of
  /// ``fill(_:channels:channelStride:columns:to:pitch:)``.
  func scatter(
    _ matrix: UnsafePointer<Float>, pitch: Int, to x: UnsafeMutablePointer<Float>
  ) {
    let starts = self.starts.elements(of: Int.self)
    let spans = self.spans.elements(of: Int.self)
    for outer in 0..<outerTaps {
      for tap in 0..<lastTaps {
        let (offset, low, high) = (spans[3 * tap], spans[3 * tap + 1], spans[3 * tap + 2])
        let row = matrix + (outer * lastTaps + tap) * pitch
        for r in 0..<outerRows {
          let target = starts[outer * outerRows + r]
          guard target >= 0 else { continue }
          let place = x + target + offset
          let source = row + r * rowLength
          for i in low..<high { place[i * stride] += source[i] }
        }
      }
    }
  }
}
