import ModelIR
import ModelRuntime
import TensorCore

/// A loss over an image that is computed tile by tile: a graph whose inputs are images and parameters, and
/// whose outputs are the loss, a sum over points, and an image.
///
/// Tiles that reach as far as the graph does give the gradients of the whole image, added up.
package struct ImageObjective: ~Copyable {
  package static let loss = "loss"
  /// The input that weighs each point's part of the loss.
  package static let weight = "loss.weight"

  /// What the parameters give.
  package struct Outcome: Sendable {
    package let loss: Double
    /// By the parameters, in their order; empty where they were not asked for.
    package let gradients: [[Float]]
    /// The output image, where it was asked for.
    package let image: ImagePlanes?
  }

  private let parameters: [(name: String, shape: Shape)]
  private let output: String
  private let tiles: [ImageTile]
  private var backward: GradientRunner
  private var forward: ModelRunner
  private var inputs: [String]
  private let graph: Graph
  private let options: PlanOptions
  /// Whether what does not depend on the parameters is kept from call to call, where there is one tile.
  private let keepsFrozen: Bool
  private var isFrozen = false

  /// - Parameters:
  ///   - output: the output of `graph` that is the image.
  ///   - parameters: inputs of `graph` that may change.
  ///   - keepsFrozen: the images of the first call are those of all, and what they alone decide is computed once
  ///     where there is one tile.
  package init(
    _ graph: Graph, output: String, parameters: [(name: String, shape: Shape)],
    tiles: [ImageTile], keepsFrozen: Bool, options: PlanOptions
  ) {
    self.parameters = parameters
    self.output = output
    self.tiles = tiles
    self.graph = graph
    self.options = options
    self.keepsFrozen = keepsFrozen && tiles.count == 1
    inputs = graph.inputs.map(\.name)
    backward = GradientRunner(
      graph, loss: Self.loss, by: parameters.map(\.name), options: options)
    forward = ModelRunner(graph, options: options)
  }

  /// - Parameters:
  ///   - values: the elements of the parameters, in their order.
  ///   - images: the other inputs by name; the weight counts in each tile's kept rectangle only.
  package mutating func evaluate(
    _ values: [[Float]], on images: [String: ImagePlanes], gradients wanted: Bool,
    image wantsImage: Bool
  ) throws(ModelError) -> Outcome {
    if keepsFrozen, !isFrozen { try freeze(images) }
    var given: [String: Tensor] = [:]
    for (parameter, value) in zip(parameters, values) {
      given[parameter.name] = Tensor(parameter.shape, value)
    }
    var loss = 0.0
    var gradients: [[Float]] = []
    var image: ImagePlanes?
    for tile in tiles {
      for (name, planes) in images where !isFrozen {
        given[name] = name == Self.weight ? try planes.kept(tile) : try planes.tensor(tile)
      }
      let made: Tensor?
      if wanted {
        let step = try backward.run(given)
        loss += step.loss
        made = step.outputs[output]
        if gradients.isEmpty {
          gradients = step.gradients
        } else {
          for index in gradients.indices {
            for place in gradients[index].indices {
              gradients[index][place] += step.gradients[index][place]
            }
          }
        }
      } else {
        let results = try forward.run(inputs.compactMap { given[$0] })
        let named = Dictionary(
          zip(forward.graph.outputs.map(\.name), results), uniquingKeysWith: { $1 })
        loss += named[Self.loss]?.doubles().first ?? .nan
        made = named[output]
      }
      guard wantsImage, let made else { continue }
      if image == nil {
        image = ImagePlanes(
          channels: made.shape[1], height: tiles.last?.rows.kept.upperBound ?? 0,
          width: tiles.last?.columns.kept.upperBound ?? 0)
      }
      try image?.put(made, tile)
    }
    return Outcome(loss: loss, gradients: gradients, image: image)
  }

  /// Computes what the images alone decide, and keeps graphs of the parameters.
  private mutating func freeze(_ images: [String: ImagePlanes]) throws(ModelError) {
    let names = Set(parameters.map(\.name))
    let concrete = try graph.specialised(
      to: graph.inputs.map { (port) throws(ModelError) in
        if let shape = parameters.first(where: { $0.name == port.name })?.shape {
          return TensorType(.float32, shape.dimensions.map { .fixed($0) })
        }
        guard let planes = images[port.name] else {
          throw ModelError(.missingInput, "input '\(port.name)' is missing")
        }
        return TensorType(
          .float32, [1, .fixed(planes.channels), .fixed(planes.height), .fixed(planes.width)])
      })
    let boundary = concrete.frozenBoundary(of: names)
    let ports = concrete.inputs.filter { !names.contains($0.name) }
    let prefix = try concrete.extracted(
      from: ports.map { (name: $0.name, value: $0.value) },
      to: boundary.enumerated().map { (name: "\($0.offset)", value: $0.element) })
    var runner = ModelRunner(prefix, options: options)
    let known = try runner.run(
      ports.map { (port) throws(ModelError) in
        guard let planes = images[port.name] else {
          throw ModelError(.missingInput, "input '\(port.name)' is missing")
        }
        return try planes.tensor(tiles[0])
      })
    let rest = try concrete.with(Array(zip(boundary, known)), inputs: names)
    inputs = rest.inputs.map(\.name)
    backward = GradientRunner(rest, loss: Self.loss, by: parameters.map(\.name), options: options)
    forward = ModelRunner(rest, options: options)
    isFrozen = true
  }
}
