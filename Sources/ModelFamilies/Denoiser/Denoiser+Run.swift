import Foundation
import MediaIO
import TensorCore

/// Pictures in and out, whole or in tiles.
extension Denoiser {
  /// Points along the side of a tile, and around it.
  static let tile = 512
  static let halo = 32
  static let smallestSide = 4
  /// Tiles begin at multiples of this, so that halving twice falls on the same points in each.
  private static let step = 4

  /// A stretch of one axis: what is computed, and what of it is kept.
  struct Stretch: Equatable {
    let computed: Range<Int>
    let kept: Range<Int>

    /// Covers `length` with stretches of `tile`, each with `halo` more on either side where there is more.
    static func cover(_ length: Int, tile: Int, halo: Int) -> [Stretch] {
      guard tile > 0, length > tile + 2 * halo else {
        return [Stretch(computed: 0..<length, kept: 0..<length)]
      }
      return stride(from: 0, to: length, by: tile).map { start in
        let end = min(length, start + tile)
        return Stretch(
          computed: max(0, start - halo)..<min(length, end + halo), kept: start..<end)
      }
    }
  }

  /// Three planes of a picture.
  struct Planes {
    let width: Int
    let height: Int
    var values: [Float]
    var count: Int { values.count / (width * height) }

    func tensor(_ rows: Range<Int>, _ columns: Range<Int>) throws(ModelError) -> Tensor {
      var part: [Float] = []
      part.reserveCapacity(count * rows.count * columns.count)
      for plane in 0..<count {
        for row in rows {
          let start = (plane * height + row) * width
          part.append(contentsOf: values[start + columns.lowerBound..<start + columns.upperBound])
        }
      }
      return Tensor(try Shape([1, count, rows.count, columns.count]), part)
    }

    /// Takes the kept rectangle of a tile.
    mutating func put(_ tensor: Tensor, _ rows: Stretch, _ columns: Stretch) throws(ModelError) {
      let shape = tensor.shape
      guard shape.rank == 4, shape[1] == count, shape[2] == rows.computed.count,
        shape[3] == columns.computed.count
      else {
        throw ModelError(.shapeMismatch, "a tile came back as \(shape)")
      }
      let source = tensor.dequantized().floats()
      for plane in 0..<count {
        for row in rows.kept {
          let from =
            (plane * rows.computed.count + row - rows.computed.lowerBound) * columns.computed.count
            + columns.kept.lowerBound - columns.computed.lowerBound
          let to = (plane * height + row) * width + columns.kept.lowerBound
          for offset in 0..<columns.kept.count { values[to + offset] = source[from + offset] }
        }
      }
    }
  }

  /// Estimates of one tile or picture: clean, noisy again, mask.
  private static func estimate(
    _ model: FamilyModel, _ noisy: Tensor, _ host: any FamilyHost
  ) throws(ModelError) -> (clean: Tensor?, again: Tensor?, mask: Tensor?) {
    var (clean, again, mask): (Tensor?, Tensor?, Tensor?)
    if let whole = model.part("restoration") {
      let outputs = try host.run(whole, [whole.inputs[0].name: noisy])
      // The whole network is only run before its parts were told apart by conversion.
      clean = outputs[whole.outputs[0].name]
      again = outputs[whole.outputs[1].name]
    } else {
      let (body, primary) = (try model.require("body"), try model.require("primary-head"))
      let features = try host.run(body, [body.inputs[0].name: noisy])[body.outputs[0].name]
      guard let features, let into = primary.trait("features-port"),
        let picture = primary.trait("noisy-port"), let cleanPort = primary.trait("clean-port"),
        let residualPort = primary.trait("residual-port")
      else { throw ModelError(.missingInput, "the body and the primary head do not fit together") }
      let head = try host.run(primary, [into: features, picture: noisy])
      clean = head[cleanPort]
      if let auxiliary = model.part("auxiliary-head"), let a = auxiliary.trait("clean-port"),
        let b = auxiliary.trait("residual-port"), let clean, let residual = head[residualPort]
      {
        again = try host.run(auxiliary, [a: clean, b: residual])[auxiliary.outputs[0].name]
      }
    }
    if let part = model.part("mask") {
      mask = try host.run(part, [part.inputs[0].name: noisy])[part.outputs[0].name]
    }
    return (clean, again, mask)
  }

  @Sendable static func perform(
    _ model: FamilyModel, _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let image = try media.requireImage()
    let (width, height) = (image.width, image.height)
    guard width >= smallestSide, height >= smallestSide else {
      throw ModelError(
        .invalidValue, "a picture of \(width)×\(height) is too small; 4×4 is the least")
    }
    if let clean = media.clean, clean.width != width || clean.height != height {
      throw ModelError(
        .shapeMismatch,
        "the clean picture is \(clean.width)×\(clean.height) and the noisy one \(width)×\(height)")
    }
    let tile = Int(try media.number("tile", in: 0...16_384) ?? Double(tile)) / step * step
    let halo = Int(try media.number("halo", in: 0...1024) ?? Double(halo)) / step * step
    let noisy = Planes(width: width, height: height, values: image.planes)
    if host.isCalibrating {
      let side = 128
      for rows in Stretch.cover(height, tile: side, halo: 0).prefix(2) {
        for columns in Stretch.cover(width, tile: side, halo: 0).prefix(2) {
          _ = try estimate(model, try noisy.tensor(rows.computed, columns.computed), host)
        }
      }
      return
    }
    let rows = Stretch.cover(height, tile: tile, halo: halo)
    let columns = Stretch.cover(width, tile: tile, halo: halo)
    var clean = noisy
    var again: Planes?
    var mask: Planes?
    for (y, row) in rows.enumerated() {
      for (x, column) in columns.enumerated() {
        let made = try estimate(model, try noisy.tensor(row.computed, column.computed), host)
        guard let estimate = made.clean else {
          throw ModelError(.missingInput, "the primary head gave no picture")
        }
        try clean.put(estimate, row, column)
        if let tensor = made.again {
          if again == nil { again = noisy }
          try again?.put(tensor, row, column)
        }
        if let tensor = made.mask {
          if mask == nil {
            mask = Planes(
              width: width, height: height, values: [Float](repeating: 0, count: width * height))
          }
          try mask?.put(tensor, row, column)
        }
        host.progress(y * columns.count + x + 1, of: rows.count * columns.count)
      }
    }
    try report(image, clean, again, mask, (rows.count, columns.count), media, host)
  }

  private static func report(
    _ image: DeepImage, _ clean: Planes, _ again: Planes?, _ mask: Planes?,
    _ tiles: (rows: Int, columns: Int), _ media: MediaInputs, _ host: any FamilyHost
  ) throws(ModelError) {
    let (width, height) = (image.width, image.height)
    func picture(_ planes: [Float]) -> DeepImage {
      DeepImage(planes: planes, width: width, height: height, depth: image.depth)
    }
    let restored = picture(clean.values)
    try host.show(.deepPicture("clean", restored))
    if tiles.rows * tiles.columns > 1 {
      try host.show(
        .line(
          "in \(tiles.rows)×\(tiles.columns) tiles: a halo is smaller than what a point depends on, "
            + "so seams may differ a little from the picture taken whole"))
    }
    if let again {
      try host.show(.deepPicture("again", picture(again.values)))
      let area = Double(again.values.count)
      let error = zip(again.values, image.planes).reduce(0) { $0 + Double(abs($1.0 - $1.1)) } / area
      try host.show(.figure("again_l1", error))
      try host.show(.line(String(format: "noisy again: mean difference %.5f", error)))
    }
    if let mask {
      try host.show(.deepPicture("mask", picture(mask.values + mask.values + mask.values)))
      let share = Double(mask.values.filter { $0 > 0.5 }.count) / Double(mask.values.count)
      try host.show(.figure("mask_share", share))
      try host.show(
        .line(String(format: "mask: above one half in %.1f %% of the points", share * 100)))
    }
    guard let target = media.clean else { return }
    // What a person gets is compared: clamped and rounded to the picture's own depth.
    let (before, after) = (
      PictureQuality(image, against: target), PictureQuality(restored, against: target)
    )
    for (name, value) in [
      ("psnr_before", before.psnr), ("psnr_after", after.psnr), ("ssim_before", before.ssim),
      ("ssim_after", after.ssim),
    ] { try host.show(.figure(name, value)) }
    try host.show(
      .line(
        String(
          format: "PSNR %.2f → %.2f dB, SSIM %.4f → %.4f", before.psnr, after.psnr, before.ssim,
          after.ssim)))
  }
}
