import TensorCore

/// What is asked of the weights of each channel.
extension Shape {
  /// For each index along `axis`, the sum of the squares of the elements there.
  func sums(ofSquares values: [Float], along axis: Int) -> [Double] {
    var sums = [Double](repeating: 0, count: self[axis])
    forEachRow(along: axis) { index, row in
      var sum = sums[index]
      for element in row { sum += Double(values[element]) * Double(values[element]) }
      sums[index] = sum
    }
    return sums
  }

  /// For each index along `axis`, the greatest magnitude of the elements there.
  func greatestMagnitudes(of values: [Float], along axis: Int) -> [Float] {
    var greatest = [Float](repeating: 0, count: self[axis])
    forEachRow(along: axis) { index, row in
      for element in row { greatest[index] = max(greatest[index], abs(values[element])) }
    }
    return greatest
  }

  /// Calls `body` for each index along `axis` with each row of elements there that are neighbours, in the order of the elements.
  func forEachRow(along axis: Int, _ body: (_ index: Int, _ elements: Range<Int>) -> Void) {
    let inner = count(axis + 1..<rank)
    for row in 0..<count(0..<axis + 1) { body(row % self[axis], row * inner..<(row + 1) * inner) }
  }
}
