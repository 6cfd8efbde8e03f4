import Foundation
import MediaIO
import TensorCore

/// Pictures in and out, whole or in tiles; no more of a picture is held than a row of tiles.
extension Denoiser {
  /// Points along the side of a tile, and around it.
  static let tile = 512
  static let halo = 32
  static let smallestSide = 4
  private static let calibrationTile = 128

  /// What is made of a picture, by the name under which it is shown.
  fileprivate enum Estimate: String, CaseIterable {
    case clean, again, mask

    var channels: Int { self == .mask ? 1 : 3 }
  }

  /// What is made of one tile or picture.
  private static func estimate(
    _ model: FamilyModel, _ noisy: Tensor, _ host: any FamilyHost
  ) throws(ModelError) -> [Estimate: Tensor] {
    var made: [Estimate: Tensor] = [:]
    if let whole = model.part("restoration") {
      let outputs = try host.run(whole, [whole.inputs[0].name: noisy])
      // The whole network is only run before its parts were told apart by conversion.
      made[.clean] = outputs[whole.outputs[0].name]
      made[.again] = outputs[whole.outputs[1].name]
    } else {
      let (body, primary) = (try model.require("body"), try model.require("primary-head"))
      guard let picture = primary.trait("noisy-port"), let clean = primary.trait("clean-port")
      else { throw ModelError(.missingInput, "the body and the primary head do not fit together") }
      let auxiliary = model.part("auxiliary-head")
      let chain = try model.chain([body, primary, auxiliary].compactMap { $0?.name })
      var inputs = [body.inputs[0].name: noisy]
      inputs[picture] = noisy
      let outputs = try host.run(chain, inputs)
      made[.clean] = outputs[clean]
      if let auxiliary { made[.again] = outputs[auxiliary.outputs[0].name] }
    }
    if let part = model.part("mask") {
      made[.mask] = try host.run(part, [part.inputs[0].name: noisy])[part.outputs[0].name]
    }
    return made
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
    let tile = Int(try media.number("tile", in: 0...16_384) ?? Double(tile))
    let halo = Int(try media.number("halo", in: 0...1024) ?? Double(halo))
    let reader = try image.reader()
    func cover(_ length: Int) -> [ImageTile.Stretch] {
      host.isCalibrating
        ? Array(ImageTile.Stretch.cover(length, tile: calibrationTile, halo: 0).prefix(2))
        : ImageTile.Stretch.cover(length, tile: tile, halo: halo)
    }
    let (rows, columns) = (cover(height), cover(width))
    var findings = try Findings(image, clean: media.clean)
    for (y, row) in rows.enumerated() {
      let noisy = try reader.read(row.computed).planes
      var made: [Estimate: ImagePlanes] = [:]
      for (x, column) in columns.enumerated() {
        let tile = ImageTile(rows: row.local, columns: column)
        for (kind, tensor) in try estimate(model, try noisy.tensor(tile), host)
        where !host.isCalibrating {
          var planes =
            made.removeValue(forKey: kind)
            ?? ImagePlanes(channels: kind.channels, height: noisy.height, width: width)
          try planes.put(tensor, tile)
          made[kind] = planes
        }
        host.progress(y * columns.count + x + 1, of: rows.count * columns.count)
      }
      guard !host.isCalibrating else { continue }
      try findings.take(
        made.mapValues { $0[rows: row.local.kept] }, of: noisy[rows: row.local.kept], host)
    }
    if !host.isCalibrating { try findings.report(tiles: (rows.count, columns.count), host) }
  }
}

/// What is shown of a picture while its rows go by, and told in the end.
private struct Findings {
  private let image: PictureFile
  private let target: PictureReader?
  private var rows = 0
  private var (before, after): (PictureQuality, PictureQuality)
  private var shown: Set<Denoiser.Estimate> = []
  /// Sums over points.
  private var (againError, masked) = (0.0, 0)

  init(_ image: PictureFile, clean: PictureFile?) throws(ModelError) {
    self.image = image
    target = if let clean { try clean.reader() } else { nil }
    (before, after) = (PictureQuality(width: image.width), PictureQuality(width: image.width))
  }

  /// Takes the next rows.
  mutating func take(
    _ made: [Denoiser.Estimate: ImagePlanes], of noisy: ImagePlanes, _ host: any FamilyHost
  ) throws(ModelError) {
    guard let clean = made[.clean] else {
      throw ModelError(.missingInput, "the primary head gave no picture")
    }
    for kind in Denoiser.Estimate.allCases {
      guard let planes = made[kind] else { continue }
      shown.insert(kind)
      try host.show(
        .stripe(kind.rawValue, DeepImage(planes, depth: image.depth), of: image.height))
    }
    if let again = made[.again] {
      againError += zip(again.values, noisy.values).reduce(0) { $0 + Double(abs($1.0 - $1.1)) }
    }
    if let mask = made[.mask] { masked += mask.values.count { $0 > 0.5 } }
    if let target = try target?.read(rows..<rows + noisy.height) {
      // What a person gets is compared: clamped and rounded to the picture's own depth.
      before.add(DeepImage(noisy, depth: image.depth), against: target)
      after.add(DeepImage(clean, depth: image.depth), against: target)
    }
    rows += noisy.height
  }

  func report(
    tiles: (rows: Int, columns: Int), _ host: any FamilyHost
  ) throws(ModelError) {
    if tiles.rows * tiles.columns > 1 {
      try host.show(
        .line(
          "in \(tiles.rows)×\(tiles.columns) tiles: a halo is smaller than what a point depends on, "
            + "so seams may differ a little from the picture taken whole"))
    }
    let area = Double(image.width * image.height)
    if shown.contains(.again) {
      let error = againError / (3 * area)
      try host.show(.figure("again_l1", error))
      try host.show(.line(String(format: "noisy again: mean difference %.5f", error)))
    }
    if shown.contains(.mask) {
      let share = Double(masked) / area
      try host.show(.figure("mask_share", share))
      try host.show(
        .line(String(format: "mask: above one half in %.1f %% of the points", share * 100)))
    }
    guard target != nil else { return }
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
