/// A rectangle of an image: what is computed, and what of it counts.
package struct ImageTile: Sendable, Hashable {
  package let rows: Stretch
  package let columns: Stretch

  package init(rows: Stretch, columns: Stretch) {
    self.rows = rows
    self.columns = columns
  }

  /// Along one axis.
  package struct Stretch: Sendable, Hashable {
    package let computed: Range<Int>
    package let kept: Range<Int>

    package init(computed: Range<Int>, kept: Range<Int>) {
      self.computed = computed
      self.kept = kept
    }

    /// The same where counting begins with what is computed.
    package var local: Stretch {
      let start = computed.lowerBound
      return Stretch(
        computed: 0..<computed.count, kept: kept.lowerBound - start..<kept.upperBound - start)
    }

    /// Covers `length` with kept stretches of at most `tile`, each computed with `halo` more on either side
    /// where there is more, or with one where `tile` is 0. Computed stretches begin at multiples of `step`
    /// and are equally long where `length` is a multiple of it.
    package static func cover(
      _ length: Int, tile: Int, halo: Int, step: Int = 4
    ) -> [Stretch] {
      let (tile, halo) = (tile / step * step, (halo + step - 1) / step * step)
      let span = tile + 2 * halo
      guard tile > 0, length > span else {
        return [Stretch(computed: 0..<length, kept: 0..<length)]
      }
      return stride(from: 0, to: length, by: tile).map { start in
        let last = (length - span + step - 1) / step * step
        let first = min(max(0, start - halo), last)
        return Stretch(
          computed: first..<min(length, first + span), kept: start..<min(length, start + tile))
      }
    }
  }

  /// Covers an image, row by row.
  package static func cover(
    width: Int, height: Int, tile: Int, halo: Int, step: Int = 4
  ) -> [ImageTile] {
    let columns = Stretch.cover(width, tile: tile, halo: halo, step: step)
    return Stretch.cover(height, tile: tile, halo: halo, step: step).flatMap { rows in
      columns.map { ImageTile(rows: rows, columns: $0) }
    }
  }
}

/// The planes of an image, 1 × channels × height × width.
package struct ImagePlanes: Sendable {
  package let channels: Int
  package let height: Int
  package let width: Int
  package private(set) var values: [Float]

  package init(channels: Int, height: Int, width: Int, values: [Float]? = nil) {
    self.channels = channels
    self.height = height
    self.width = width
    self.values = values ?? [Float](repeating: 0, count: channels * height * width)
  }

  /// Some of its rows.
  package subscript(rows rows: Range<Int>) -> ImagePlanes {
    var part: [Float] = []
    part.reserveCapacity(channels * rows.count * width)
    for channel in 0..<channels {
      let start = channel * height * width
      part += values[start + rows.lowerBound * width..<start + rows.upperBound * width]
    }
    return ImagePlanes(channels: channels, height: rows.count, width: width, values: part)
  }

  /// The computed rectangle of a tile.
  package func tensor(_ tile: ImageTile) throws(ModelError) -> Tensor {
    let (rows, columns) = (tile.rows.computed, tile.columns.computed)
    var part: [Float] = []
    part.reserveCapacity(channels * rows.count * columns.count)
    for channel in 0..<channels {
      for row in rows {
        let start = (channel * height + row) * width
        part += values[start + columns.lowerBound..<start + columns.upperBound]
      }
    }
    return Tensor(try Shape([1, channels, rows.count, columns.count]), part)
  }

  /// The same with zeros outside the rectangle that counts.
  package func kept(_ tile: ImageTile) throws(ModelError) -> Tensor {
    let (rows, columns) = (tile.rows, tile.columns)
    let extent = columns.computed.count
    var part = [Float](
      repeating: 0, count: channels * rows.computed.count * columns.computed.count)
    for channel in 0..<channels {
      for row in rows.kept {
        let source = (channel * height + row) * width
        let target = (channel * rows.computed.count + row - rows.computed.lowerBound) * extent
        for column in columns.kept {
          part[target + column - columns.computed.lowerBound] = values[source + column]
        }
      }
    }
    return Tensor(try Shape([1, channels, rows.computed.count, extent]), part)
  }

  /// Takes the rectangle that counts of what was computed for a tile.
  package mutating func put(_ tensor: Tensor, _ tile: ImageTile) throws(ModelError) {
    let (rows, columns) = (tile.rows, tile.columns)
    guard tensor.shape.dimensions == [1, channels, rows.computed.count, columns.computed.count]
    else { throw ModelError(.shapeMismatch, "a tile came back as \(tensor.shape)") }
    tensor.dequantized().withElements(of: Float.self) { source in
      for channel in 0..<channels {
        for row in rows.kept {
          let from =
            (channel * rows.computed.count + row - rows.computed.lowerBound)
            * columns.computed.count - columns.computed.lowerBound
          let to = (channel * height + row) * width
          for column in columns.kept { values[to + column] = source[from + column] }
        }
      }
    }
  }
}
