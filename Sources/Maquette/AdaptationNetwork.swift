import ModelAdaptation
import ModelBundle
import ModelFamilies
import ModelIR
import ModelRuntime
import TensorCore

/// The parts of a denoiser as adaptation runs them: what stays the same is computed once, the rest is one graph
/// with its loss.
struct AdaptationNetwork {
  static let noisy = "noisy"
  static let features = "features"
  static let clean = "clean"

  /// A tensor that adapts: an input of ``graph``.
  struct Parameter {
    let part: String
    let tensor: String
    /// To begin with.
    let value: Tensor
    var name: String { "\(part)/\(tensor)" }
  }

  let graph: Graph
  let parameters: [Parameter]
  /// Points around a point that its loss depends on.
  let reach: Int
  /// Whether ``graph`` holds the body too.
  var adaptsBody: Bool { !body.isFrozen }
  private let body: (graph: Graph, isFrozen: Bool)
  private let mask: Graph

  init(
    _ file: ModelFile, _ record: AdaptationRecord, _ targets: [AdaptationRecord.Target]
  ) throws(ModelError) {
    guard let family = file.family else {
      throw ModelError(.unsupportedFeature, "the model is of no family that adapts")
    }
    var weights: [String: Set<String>] = [:]
    for target in targets { weights[target.part, default: []].insert(target.tensor) }
    var parameters: [Parameter] = []
    /// The form of a part that adapts, or stays the same.
    func graph(_ role: String) throws(ModelError) -> (graph: Graph, constants: [String: String]) {
      let name = try family.require(role).name
      let float = record.floatForms.first { $0.part == name }?.float
      let isLight = weights[name] != nil && float != nil
      let part = try file.part(isLight ? name : float ?? name)
      let own = weights[part.name] ?? []
      let form = isLight ? try part.graph.lightForm(of: own) : part.graph
      let names = isLight ? Set(own.flatMap(AdaptationNetwork.light)) : own
      var constants: [String: String] = [:]
      for value in form.values where names.contains(value.name) {
        guard let tensor = value.fact.constant else { continue }
        let parameter = Parameter(part: part.name, tensor: value.name, value: tensor)
        parameters.append(parameter)
        constants[value.name] = parameter.name
      }
      return (form, constants)
    }
    let bodyPart = try family.require("body")
    let (primaryPart, auxiliaryPart) = (
      try family.require("primary-head"), try family.require("auxiliary-head")
    )
    guard let featuresPort = primaryPart.trait("features-port"),
      let noisyPort = primaryPart.trait("noisy-port"),
      let cleanPort = primaryPart.trait("clean-port"),
      let residualPort = primaryPart.trait("residual-port"),
      let cleanIn = auxiliaryPart.trait("clean-port"),
      let residualIn = auxiliaryPart.trait("residual-port")
    else { throw ModelError(.missingInput, "the heads of the model do not fit together") }
    let lower = try graph("body")
    let frozen = lower.constants.isEmpty
    let primary = try graph("primary-head")
    let auxiliary = try graph("auxiliary-head")

    var joined = JoinedGraph()
    let picture = try joined.input(
      Self.noisy, TensorType(.float32, [1, 3, .symbol("height"), .symbol("width")]))
    let width = primary.graph.inputs.first { $0.name == featuresPort }
    guard let width else { throw ModelError(.missingInput, "the head takes no features") }
    var maps: ValueID
    if frozen {
      maps = try joined.input(Self.features, primary.graph.type(width.value))
    } else {
      let made = try joined.append(
        lower.graph, parameters: lower.constants, fed: [lower.graph.inputs[0].name: picture])
      guard let output = made[bodyPart.outputs[0].name] else {
        throw ModelError(.missingInput, "the body gave no features")
      }
      maps = output
    }
    let head = try joined.append(
      primary.graph, parameters: primary.constants,
      fed: [featuresPort: maps, noisyPort: picture])
    guard let estimate = head[cleanPort], let residual = head[residualPort] else {
      throw ModelError(.missingInput, "the primary head gave no picture")
    }
    let again = try joined.append(
      auxiliary.graph, parameters: auxiliary.constants,
      fed: [cleanIn: estimate, residualIn: residual])
    guard let copy = again[auxiliaryPart.outputs[0].name] else {
      throw ModelError(.missingInput, "the auxiliary head gave no picture")
    }
    let weight = try joined.input(
      ImageObjective.weight,
      TensorType(.float32, [1, 1, .symbol("height"), .symbol("width")]))
    let loss = try Loss.absolute.append(picture, copy, weight: weight, to: &joined.graph)
    try joined.graph.addOutput(ImageObjective.loss, loss)
    try joined.graph.addOutput(Self.clean, estimate)
    self.graph = joined.graph
    self.parameters = parameters
    let roles = ["primary-head", "auxiliary-head"] + (frozen ? [] : ["body"])
    reach = roles.reduce(0) { $0 + (Denoiser.reach[$1] ?? 0) }
    body = (lower.graph, frozen)
    mask = try file.part(family.require("mask").name).graph
  }

  private static func light(_ weight: String) -> [String] {
    let names = Graph.lightParameters(of: weight)
    return [names.scale, names.bias]
  }

  /// How much each point counts in the loss: a mean over points and channels, times the factor.
  func weights(
    _ noisy: ImagePlanes, _ form: AdaptationRecord.Mask, factor: Double, tile: Int,
    _ options: PlanOptions
  ) throws(ModelError) -> ImagePlanes {
    let made = try AdaptationNetwork.run(
      mask, on: noisy, tile: tile, halo: Denoiser.reach["mask"] ?? 0, options)
    let unit = Float(factor / Double(noisy.values.count))
    return ImagePlanes(
      channels: 1, height: noisy.height, width: noisy.width,
      values: made.values.map { form == .hard ? ($0 > 0.5 ? unit : 0) : $0 * unit })
  }

  /// What the body makes of the picture; nil where the body adapts too.
  func features(
    _ noisy: ImagePlanes, tile: Int, _ options: PlanOptions
  ) throws(ModelError) -> ImagePlanes? {
    guard body.isFrozen else { return nil }
    return try AdaptationNetwork.run(
      body.graph, on: noisy, tile: tile, halo: Denoiser.reach["body"] ?? 0, options)
  }

  /// The only output of a graph of one image.
  private static func run(
    _ graph: Graph, on image: ImagePlanes, tile: Int, halo: Int, _ options: PlanOptions
  ) throws(ModelError) -> ImagePlanes {
    var runner = ModelRunner(graph, options: options)
    var whole: ImagePlanes?
    for tile in ImageTile.cover(
      width: image.width, height: image.height, tile: tile, halo: halo)
    {
      let made = try runner.run([image.tensor(tile)])[0]
      if whole == nil {
        whole = ImagePlanes(
          channels: made.shape.rank > 1 ? made.shape[1] : 0, height: image.height,
          width: image.width)
      }
      try whole?.put(made, tile)
    }
    guard let whole else { throw ModelError(.invalidValue, "a picture without points") }
    return whole
  }
}
