import TensorCore

/// Places buffers with known lifetimes in one block of memory.
enum Arena {
  /// A buffer and the steps, first to last, during which its bytes matter.
  struct Request: Sendable {
    let byteCount: Int
    let first: Int
    let last: Int
  }

  static let alignment = AlignedMemory.alignment

  /// Bytes that a buffer takes: its content, readable slack, and padding to the alignment.
  static func footprint(_ byteCount: Int) -> Int {
    (byteCount + TensorStorage.slack + alignment - 1) / alignment * alignment
  }

  /// Orders that are tried at most.
  private static let attempts = 48

  /// Offsets such that no two buffers that live at once overlap: each at the lowest gap that fits, the largest first.
  /// While that takes more than lives at once, the buffer that lies highest goes before all others.
  static func place(_ requests: [Request]) -> (offsets: [Int], byteCount: Int) {
    let least = liveByteCount(requests, steps: requests.reduce(0) { max($0, $1.last) })
    var order = requests.indices.sorted {
      (requests[$0].byteCount, $1) > (requests[$1].byteCount, $0)
    }
    var best = place(requests, in: order)
    var last = best
    for _ in 1..<attempts where best.byteCount > least {
      guard
        let highest = order.firstIndex(where: {
          last.offsets[$0] + footprint(requests[$0].byteCount) == last.byteCount
        })
      else { break }
      order.insert(order.remove(at: highest), at: 0)
      last = place(requests, in: order)
      if last.byteCount < best.byteCount { best = last }
    }
    return best
  }

  /// Each at the lowest gap that fits.
  private static func place(
    _ requests: [Request], in order: [Int]
  ) -> (offsets: [Int], byteCount: Int) {
    /// Buffers that have a place, in order of offset.
    var placed: [(offset: Int, end: Int, first: Int, last: Int)] = []
    placed.reserveCapacity(requests.count)
    var offsets = [Int](repeating: 0, count: requests.count)
    var end = 0
    for index in order {
      let request = requests[index]
      let size = footprint(request.byteCount)
      var offset = 0
      for other in placed where other.first <= request.last && request.first <= other.last {
        if offset + size <= other.offset { break }
        offset = max(offset, other.end)
      }
      offsets[index] = offset
      let position = placed.firstIndex { $0.offset > offset } ?? placed.count
      placed.insert((offset, offset + size, request.first, request.last), at: position)
      end = max(end, offset + size)
    }
    return (offsets, end)
  }

  /// The greatest number of bytes alive at one step.
  static func liveByteCount(_ requests: [Request], steps: Int) -> Int {
    var changes = [Int](repeating: 0, count: steps + 2)
    for request in requests {
      changes[max(request.first, 0)] += footprint(request.byteCount)
      changes[request.last + 1] -= footprint(request.byteCount)
    }
    var (live, greatest) = (0, 0)
    for change in changes {
      live += change
      greatest = max(greatest, live)
    }
    return greatest
  }
}
