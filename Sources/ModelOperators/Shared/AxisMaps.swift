import TensorCore

/// Source positions along each axis of a result: an element whose position is −1 along any axis has no
/// source.
struct AxisMaps {
  let maps: [[Int]]

  var extents: [Int] { maps.map(\.count) }

  /// The flat index in `source` of every element of the result, −1 for those without one.
  func sources(in source: Shape) -> [Int] {
    var result = [0]
    for (map, stride) in zip(maps, source.strides) {
      var next: [Int] = []
      next.reserveCapacity(result.count * map.count)
      for base in result {
        for position in map {
          next.append(base < 0 || position < 0 ? -1 : base + position * stride)
        }
      }
      result = next
    }
    return result
  }
}
