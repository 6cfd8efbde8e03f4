import MediaIO
import Testing

@Suite struct HeatMapTests {
  @Test func sharesBecomeColours() {
    let image = HeatMap(rows: 1, columns: 4, values: [0, 1, 2, 3], side: 1).image
    #expect(image.width == 4 && image.height == 1)
    #expect(image.pixels == [0, 0, 0, 255, 0, 0, 255, 255, 0, 255, 255, 255])
  }

  @Test func squaresHaveTheirSide() {
    let image = HeatMap(rows: 2, columns: 3, values: [Double](repeating: 1, count: 6)).image
    #expect(image.width == 12 && image.height == 8)
    #expect(image.pixels.allSatisfy { $0 == 255 })
  }

  @Test func whatIsNoNumberIsBlack() {
    let values = [Double.nan, .infinity, -1, 0]
    let image = HeatMap(rows: 2, columns: 2, values: values, greatest: 1, side: 1).image
    #expect(image.pixels.allSatisfy { $0 == 0 })
    #expect(HeatMap(rows: 1, columns: 1, values: [0]).image.pixels.allSatisfy { $0 == 0 })
  }
}
