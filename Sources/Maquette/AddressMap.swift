import Foundation
import MediaIO
import TensorCore

/// The address of a memory over time, drawn: slots down, frames across, and the mean share of each slot at the right.
struct AddressMap {
  /// What sounds in each frame, where it is known.
  private let labels: [String]?
  private let frames: Int
  private let slots: Int
  /// Frame by frame.
  private let shares: [Double]
  /// The mean share of each slot.
  private let usage: [Double]

  /// Pixels of the side of a square, between the map and the bars, and squares of the longest bar.
  private static let (side, gap, bars) = (4, 8, 24)

  /// - Parameters:
  ///   - address: frames × slots.
  ///   - usage: the mean share of each slot.
  init(_ address: Tensor, usage: [Double], labels: [String]?) {
    self.labels = labels
    self.usage = usage
    (frames, slots) = (address.shape[0], address.shape[1])
    shares = address.dequantized().doubles()
  }

  var image: Image {
    let turned = (0..<slots).flatMap { slot in
      (0..<frames).map { shares[$0 * slots + slot] }
    }
    let side = AddressMap.side
    let map = HeatMap(rows: slots, columns: frames, values: turned, side: side).image
    let (top, bars) = (usage.max() ?? 1, AddressMap.bars)
    let lit = usage.flatMap { share in
      (0..<bars).map { top > 0 && Double($0) < share / top * Double(bars) ? 0.66 : 0.0 }
    }
    let means = HeatMap(rows: slots, columns: bars, values: lit, greatest: 1, side: side).image
    var picture = Image(
      width: map.width + AddressMap.gap + means.width, height: map.height, grey: 127)
    picture.draw(map, x: 0, y: 0)
    picture.draw(means, x: map.width + AddressMap.gap, y: 0)
    return picture
  }

  /// The picture in `file` with its axes: slots, seconds, phones, shares.
  func drawing(_ file: String) -> HTMLPage.Drawing {
    let (left, top, zoom) = (40, 40, 2)
    let side = AddressMap.side * zoom
    let (width, height) = (frames * side, slots * side)
    let barsAt = left + width + AddressMap.gap * zoom
    let barsEnd = barsAt + AddressMap.bars * side
    var drawing = HTMLPage.Drawing(width: max(barsEnd + 20, 480), height: top + height + 60)
    drawing.image(file, x: left, y: top, width: barsEnd - left, height: height)
    for slot in stride(from: 0, to: slots, by: slots > 256 ? 64 : 8) {
      let y = Double(top) + (Double(slot) + 0.5) * Double(side)
      drawing.text("\(slot)", x: Double(left - 8), y: y, .end)
      drawing.line(x: Double(left - 5), y: y, toX: Double(left), toY: y)
    }
    let bottom = Double(top + height)
    let second = Int(PhoneTimings.framesPerSecond)
    for frame in stride(from: 0, through: frames, by: second) {
      let x = Double(left + frame * side)
      drawing.line(x: x, y: bottom, toX: x, toY: bottom + 5)
      drawing.text("\(frame / second) s", x: x, y: bottom + 14, .middle)
    }
    drawing.text(
      "mean share, 0…\(AddressMap.figure(usage.max() ?? 0))", x: Double(barsAt), y: bottom + 14)
    drawing.text(
      "slots down; black 0, white \(AddressMap.figure(shares.max() ?? 0)) of the address",
      x: Double(left), y: bottom + 36)
    label(&drawing, left: left, top: Double(top), side: side)
    return drawing
  }

  /// Each phone above its frames, where there is room for it.
  private func label(_ drawing: inout HTMLPage.Drawing, left: Int, top: Double, side: Int) {
    guard let labels else { return }
    var first = 0
    for frame in 1...max(labels.count, 1)
    where frame >= labels.count || labels[frame] != labels[first] {
      let (from, to) = (Double(left + first * side), Double(left + frame * side))
      drawing.line(x: from, y: top - 20, toX: from, toY: top)
      if first < labels.count, to - from >= Double(7 * labels[first].count) {
        drawing.text(labels[first], x: (from + to) / 2, y: top - 12, .middle)
      }
      first = frame
    }
  }

  private static func figure(_ share: Double) -> String { String(format: "%.3f", share) }
}

/// What each slot shows when it is addressed alone.
struct SlotSheet {
  let image: Image
  private let count: Int
  private let size: (width: Int, height: Int)

  private static let (columns, gap) = (12, 2)

  /// - Parameter images: one for each slot, of one size.
  init(_ images: [Image]) {
    count = images.count
    size = (images[0].width, images[0].height)
    image = Image.contactSheet(images, columns: SlotSheet.columns, gap: SlotSheet.gap)
  }

  /// The picture in `file`, with the numbers of the slots at its left.
  func drawing(_ file: String) -> HTMLPage.Drawing {
    let left = 70
    var drawing = HTMLPage.Drawing(width: left + image.width, height: image.height)
    drawing.image(file, x: left, y: 0, width: image.width, height: image.height)
    for (row, first) in stride(from: 0, to: count, by: SlotSheet.columns).enumerated() {
      let y = Double(row * (size.height + SlotSheet.gap)) + Double(size.height) / 2
      drawing.text(
        "\(first)…\(min(first + SlotSheet.columns, count) - 1)", x: Double(left - 8), y: y, .end)
    }
    return drawing
  }
}
