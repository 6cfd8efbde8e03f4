import TensorCore
import Testing

@Suite struct ImageTileTests {
  @Test(arguments: [
    (1000, 512, 32), (513, 512, 0), (64, 16, 4), (7, 4, 0), (600, 0, 32), (50, 2, 8),
  ])
  func stretchesKeepEachPointOnce(length: Int, tile: Int, halo: Int) {
    let stretches = ImageTile.Stretch.cover(length, tile: tile, halo: halo)
    #expect(stretches.flatMap { Array($0.kept) } == Array(0..<length))
    for stretch in stretches {
      #expect(stretch.computed.lowerBound % 4 == 0)
      #expect(
        stretch.computed.lowerBound <= max(0, stretch.kept.lowerBound - halo)
          && stretch.computed.upperBound >= min(length, stretch.kept.upperBound + halo))
      #expect(stretch.local.computed == 0..<stretch.computed.count)
      #expect(
        stretch.local.kept.lowerBound + stretch.computed.lowerBound == stretch.kept.lowerBound)
    }
  }

  @Test func stretchesAreEquallyLongSoThatOnePlanServesThem() {
    let lengths = ImageTile.Stretch.cover(4096, tile: 512, halo: 32).map(\.computed.count)
    #expect(lengths == [Int](repeating: 576, count: 8))
    #expect(ImageTile.Stretch.cover(600, tile: 0, halo: 32).count == 1)
    #expect(
      ImageTile.Stretch.cover(1000, tile: 512, halo: 32)[1]
        == ImageTile.Stretch(computed: 424..<1000, kept: 512..<1000))
  }

  @Test func tilesPutTogetherAreTheImage() throws {
    let image = ImagePlanes(
      channels: 2, height: 9, width: 13, values: (0..<2 * 9 * 13).map(Float.init))
    var copy = ImagePlanes(channels: 2, height: 9, width: 13)
    let tiles = ImageTile.cover(width: 13, height: 9, tile: 4, halo: 1)
    #expect(tiles.count > 1)
    for tile in tiles { try copy.put(image.tensor(tile), tile) }
    #expect(copy.values == image.values)
    let rows = image[rows: 3..<5]
    #expect(rows.height == 2 && rows.values[26] == image.values[9 * 13 + 3 * 13])
    let tile = try #require(tiles.last)
    let kept = try image.kept(tile).floats()
    #expect(kept.count { $0 != 0 } == 2 * tile.rows.kept.count * tile.columns.kept.count)
    let error = #expect(throws: ModelError.self) {
      try copy.put(Tensor.filled(.float32, Shape([1, 1]), with: 0), tile)
    }
    #expect(error?.code == .shapeMismatch)
  }
}
