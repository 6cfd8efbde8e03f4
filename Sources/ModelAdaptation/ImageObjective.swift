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
  private let inputs: [String]

  /// - Parameters:
  ///   - output: the output of `graph` that is the image.
  ///   - parameters: inputs of `graph` that may change.
  package init(
    _ graph: Graph, output: String, parameters: [(name: String, shape: Shape)],
    tiles: [ImageTile], options: PlanOptions
  ) {
    self.parameters = parameters
    self.output = output
    self.tiles = tiles
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
    var given: [String: Tensor] = [:]
    for (parameter, value) in zip(parameters, values) {
      given[parameter.name] = Tensor(parameter.shape, value)
    }
    var loss = 0.0
    var gradients: [[Float]] = []
    var image: ImagePlanes?
    for tile in tiles {
      for (name, planes) in images {
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
        let whole = images.values.first
        image = ImagePlanes(
          channels: made.shape[1], height: whole?.height ?? 0, width: whole?.width ?? 0)
      }
      try image?.put(made, tile)
    }
    return Outcome(loss: loss, gradients: gradients, image: image)
  }
}
