import Foundation
import MediaIO
import ModelAdaptation
import ModelBundle
import ModelFamilies
import ModelIR
import TensorCore

/// A bundle adapts to one picture, as far as it declares that it may.
package struct Adaptation: Sendable {
  package var model: String
  /// A photograph (.png), and what it should be, where that is known.
  package var image: String
  package var clean: String?
  /// The picture to write; the answer without adaptation is written beside it.
  package var output: String
  /// What the bundle's defaults say where these are nil.
  package var preset: String?
  package var mask: String?
  /// `PART/TENSOR`, in place of the preset's.
  package var tensors: [String] = []
  package var steps: Int?
  package var rate: Double?
  package var factor: Double?
  package var answer = AdaptationLoop.Answer.lastForward.rawValue
  /// Points along the side of a tile; 0 takes the picture whole; nil decides by its size.
  package var tile: Int?
  /// The file that the adapted tensors are saved to, and the name that they have there.
  package var save: String?
  package var name: String?
  /// Makes anew before each step what does not change, to show that it does not.
  package var recomputes = false
  package var options = ExecutionOptions()

  package init(model: String, image: String, output: String) {
    self.model = model
    self.image = image
    self.output = output
  }

  package func run(_ progress: ProgressObserver = .silent) throws(ModelError) -> Outcome {
    let watch = Stopwatch()
    let file = try ModelFile(model, goldens: false)
    let record = try Adaptation.declaration(of: file)
    let choice = try choice(record)
    let noisy = try DeepImage(contentsOf: image)
    let target = try clean.map { (path) throws(ModelError) in try DeepImage(contentsOf: path) }
    if let target, target.width != noisy.width || target.height != noisy.height {
      throw ModelError(
        .shapeMismatch,
        "the clean picture is \(target.width)×\(target.height) and the noisy one "
          + "\(noisy.width)×\(noisy.height)")
    }
    guard noisy.width >= 4, noisy.height >= 4 else {
      throw ModelError(
        .invalidValue, "a picture of \(noisy.width)×\(noisy.height) is too small; 4×4 is the least")
    }
    let network = try AdaptationNetwork(file, record, choice.tensors)
    progress("preparing")
    let planes = noisy.planes
    let options = try options.planOptions()
    let sides = try tiling(noisy, network)
    let weights = try network.weights(
      planes, choice.mask, factor: choice.factor, tile: sides, options)
    let share = Double(weights.values.filter { $0 > 0 }.count) / Double(weights.values.count)
    let features = try network.features(planes, tile: sides, options)
    let tiles = ImageTile.cover(
      width: noisy.width, height: noisy.height, tile: sides, halo: network.reach)
    var objective = ImageObjective(
      network.graph, output: AdaptationNetwork.clean,
      parameters: network.parameters.map {
        ($0.name, $0.value.shape)
      }, tiles: tiles, keepsFrozen: !recomputes, options: options)
    let prepared = watch.seconds
    let isEmpty = share == 0
    let loop = AdaptationLoop(steps: isEmpty ? 1 : choice.steps, answer: choice.answer)
    let again = recomputes
    let made = try loop.run(
      &objective, from: network.parameters.map { $0.value.floats() },
      by: Adam(rate: choice.rate)
    ) { () throws(ModelError) in
      var images = [AdaptationNetwork.noisy: planes, ImageObjective.weight: weights]
      images[AdaptationNetwork.features] =
        again ? try network.features(planes, tile: sides, options) : features
      return images
    } observe: {
      progress("adapting", $0, of: choice.steps)
    }
    let seconds = watch.seconds
    let stepSeconds = seconds - prepared
    var outcome = Outcome(
      model: (model as NSString).lastPathComponent, precision: file.precision,
      preset: tensors.isEmpty ? choice.preset : "own", mask: choice.mask.rawValue,
      tensors: choice.tensors.count,
      parameters: network.parameters.reduce(0) { $0 + $1.value.count },
      steps: choice.steps, rate: choice.rate, factor: choice.factor, answer: choice.answer.rawValue,
      tiles: tiles.count, maskShare: share, losses: made.losses,
      failure: isEmpty ? "the mask is empty" : made.failure?.rawValue, prepareSeconds: prepared,
      stepSeconds: stepSeconds,
      seconds: seconds)
    let before = DeepImage(made.before, depth: noisy.depth)
    let after = isEmpty ? before : DeepImage(made.after, depth: noisy.depth)
    try before.writePNG(to: Adaptation.beside(output))
    try after.writePNG(to: output)
    outcome.files = [output, Adaptation.beside(output)]
    if let target { outcome.compare(noisy, before, after, with: target) }
    if let save, outcome.failure == nil {
      try self.save(made.values, network, outcome, to: save)
      outcome.files.append(save)
    }
    return outcome
  }

  /// The file of the answer without adaptation.
  static func beside(_ path: String) -> String {
    "\((path as NSString).deletingPathExtension)-before.png"
  }

  static func declaration(of file: ModelFile) throws(ModelError) -> AdaptationRecord {
    guard file.form == .bundle else {
      throw ModelError(
        .unsupportedFeature, "an ONNX model declares nothing that may adapt; convert it first")
    }
    guard let record = file.adaptation else {
      throw ModelError(
        .unsupportedFeature,
        "the bundle declares nothing that may adapt: its model is of no family that does, lacks a part, "
          + "or was converted before bundles could")
    }
    return record
  }

  /// Tiles are as large as keeps a picture of any size within about 600 MB of memory.
  private func tiling(
    _ image: DeepImage, _ network: AdaptationNetwork
  ) throws(ModelError) -> Int {
    guard let tile else {
      let (whole, usual) = network.adaptsBody ? (352, 168) : (640, 256)
      return image.width * image.height > whole * whole ? usual : 0
    }
    guard tile == 0 || (16...16_384).contains(tile) else {
      throw ModelError(.usage, "a tile has 16 to 16384 points along its side, or 0 for the whole")
    }
    return tile
  }

  private func save(
    _ values: [[Float]], _ network: AdaptationNetwork, _ outcome: Outcome, to path: String
  ) throws(ModelError) {
    let base = Digest(of: try FileAccess.read(model)).description
    var adapted = AdaptedTensors(base: base)
    if FileManager.default.fileExists(atPath: path) {
      adapted = try AdaptedTensors(contentsOf: path)
      guard adapted.base == base else {
        throw ModelError(
          .integrityFailure, "B45: '\(path)' holds tensors of another bundle, \(adapted.base)")
      }
    }
    let name =
      self.name ?? ((image as NSString).lastPathComponent as NSString).deletingPathExtension
    try adapted.add(
      AdaptedTensors.State(
        name: name, preset: outcome.preset, steps: outcome.steps, rate: outcome.rate,
        losses: outcome.losses,
        tensors: network.parameters.map { .init(part: $0.part, tensor: $0.tensor) }),
      zip(network.parameters, values).map { Tensor($0.value.shape, $1) })
    try adapted.write(to: path)
  }
}

// MARK: - Choices

extension Adaptation {
  /// What is done: the bundle's defaults and what was asked for, within its limits.
  struct Choice {
    var preset: String
    var mask: AdaptationRecord.Mask
    var tensors: [AdaptationRecord.Target]
    var steps: Int
    var rate: Double
    var factor: Double
    var answer: AdaptationLoop.Answer
  }

  func choice(_ record: AdaptationRecord) throws(ModelError) -> Choice {
    let name = preset ?? record.preset
    guard let chosen = record.presets.first(where: { $0.name == name }) else {
      throw ModelError(
        .usage,
        "the bundle has no preset '\(name)'; it has \(record.presets.map(\.name).joined(separator: ", "))"
      )
    }
    guard let answer = AdaptationLoop.Answer(rawValue: answer) else {
      let known = AdaptationLoop.Answer.allCases.map(\.rawValue).joined(separator: ", ")
      throw ModelError(.usage, "'\(self.answer)' is no answer; there are \(known)")
    }
    var choice = Choice(
      preset: name, mask: chosen.mask, tensors: chosen.tensors, steps: steps ?? record.steps,
      rate: rate ?? record.rate, factor: factor ?? record.factor, answer: answer)
    if let mask {
      guard let form = AdaptationRecord.Mask(rawValue: mask) else {
        throw ModelError(.usage, "a mask is hard or soft, not '\(mask)'")
      }
      choice.mask = form
    }
    if !tensors.isEmpty {
      choice.tensors = try tensors.map { (text) throws(ModelError) in
        guard let target = record.tensors.first(where: { "\($0.part)/\($0.tensor)" == text }) else {
          throw ModelError(.usage, "'\(text)' is none of the tensors that may adapt")
        }
        return target
      }
    }
    guard (1...record.greatestSteps).contains(choice.steps) else {
      throw ModelError(
        .usage, "\(choice.steps) steps: the bundle allows 1 to \(record.greatestSteps)")
    }
    guard choice.rate > 0, choice.rate <= record.greatestRate else {
      throw ModelError(
        .usage, "a rate of \(choice.rate): the bundle allows up to \(record.greatestRate)")
    }
    guard choice.factor > 0, choice.factor.isFinite else {
      throw ModelError(.usage, "a factor of \(choice.factor)")
    }
    return choice
  }
}
