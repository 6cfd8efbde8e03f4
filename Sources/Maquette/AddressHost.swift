import MediaIO
import ModelFamilies
import ModelIR
import ModelOperators
import TensorCore

/// Runs a family on media and keeps the addresses of its memories.
final class AddressHost: FamilyHost {
  let isCalibrating = false
  private let file: ModelFile
  private let part: FamilyModel.Part
  private let slots: Int
  private let runners: [String: PartRunner]
  private let options: ExecutionOptions
  private let observer: ProgressObserver
  private var rows: [(name: String, tensors: [Tensor])] = []
  /// The first inputs that the part with the memory was run on.
  private var inputs: [String: Tensor] = [:]

  /// Slots of one memory that are looked at.
  private static let maximumSlots = 4096

  /// - Throws: `unsupported-feature` for a model without a memory.
  init(
    _ path: String, _ media: MediaRequest, _ options: ExecutionOptions,
    _ progress: ProgressObserver
  ) throws(ModelError) {
    file = try ModelFile(path, goldens: false)
    guard let family = file.family,
      let part = family.parts.first(where: { $0.trait("memory-slots") != nil }),
      let slots = part.trait("memory-slots").flatMap({ Int($0) }),
      (1...Self.maximumSlots).contains(slots)
    else {
      throw ModelError(.unsupportedFeature, "'\(path)' has no memory that Maquette knows")
    }
    self.part = part
    self.slots = slots
    self.options = options
    observer = progress
    var runners: [String: PartRunner] = [:]
    for part in file.parts { runners[part.name] = try PartRunner(part, options) }
    self.runners = runners
    let loaded = try media.load(for: family.family)
    try family.family.perform(family, loaded, self)
  }

  func run(
    _ part: FamilyModel.Part, _ inputs: [String: Tensor]
  ) throws(ModelError) -> [String: Tensor] {
    guard let runner = runners[part.name] else {
      throw ModelError(.missingInput, "the model has no part '\(part.name)'")
    }
    if part.name == self.part.name, self.inputs.isEmpty { self.inputs = inputs }
    return try runner.run(inputs)
  }

  func feed(_ part: FamilyModel.Part, _ inputs: [String: Tensor]) throws(ModelError) {
    _ = try run(part, inputs)
  }

  func show(_ product: Product) {
    guard case .rows(let name, let tensor) = product else { return }
    if let index = rows.firstIndex(where: { $0.name == name }) {
      rows[index].tensors.append(tensor)
    } else {
      rows.append((name, [tensor]))
    }
  }

  func progress(_ done: Int, of total: Int) { observer("addressing", done, of: total) }

  /// What has one share for each slot: frames × slots.
  ///
  /// - Throws: `unsupported-feature` where the model keeps its addresses to itself.
  func addresses() throws(ModelError) -> [(name: String, address: Tensor)] {
    var found: [(name: String, address: Tensor)] = []
    for (name, tensors) in rows {
      guard let last = tensors.first?.shape.dimensions.last, last == slots else { continue }
      let joined = try Tensor.concatenated(tensors).dequantized()
      found.append((name, try joined.reshaped(to: try Shape([joined.count / slots, slots]))))
    }
    guard !found.isEmpty else {
      throw ModelError(
        .unsupportedFeature, "no output of the model is an address of \(slots) slots")
    }
    return found
  }

  /// A frame for each slot, drawn as if it alone were addressed while nothing is heard; nil for models that
  /// draw nothing or keep their addresses to themselves.
  func oneSlotFrames() throws(ModelError) -> [Image]? {
    guard
      let graph = try file.parts.first(where: { $0.name == part.name })?.graph
        .withMemoriesInSteps(),
      let address = graph.outputs.first(where: { port in
        graph.type(port.value).dimensions.map { $0.count == 2 && $0[1].value == slots } ?? false
      }),
      let frames = graph.outputs.first(where: { port in
        graph.type(port.value).dimensions.map { $0.count == 4 && $0[1].value == 3 } ?? false
      }),
      let maker = graph.producer(of: address.value)
    else { return nil }
    let name = "one slot"
    let cut = try graph.rebuilt { (node, _, new) throws(ModelError) in
      guard node.outputs == maker.outputs else { return nil }
      return try node.outputs.map { (output) throws(ModelError) in
        try new.addInput(name, graph.type(output))
      }
    }.withoutDeadCode()
    var runner = try Runner(cut, options)
    var images: [Image] = []
    let batch = inputs.values.first?.shape.dimensions.first ?? 1
    for start in stride(from: 0, to: slots, by: batch) {
      var tensors: [String: Tensor] = [:]
      for (port, tensor) in inputs { tensors[port] = try still(tensor) }
      var shares = [Float](repeating: 0, count: batch * slots)
      for row in 0..<batch where start + row < slots { shares[row * slots + start + row] = 1 }
      tensors[name] = Tensor(try Shape([batch, slots]), shares)
      let made = try runner.run(tensors)
      guard let tensor = made[frames.name] else { return nil }
      let size = tensor.shape[3]
      let values = tensor.dequantized().floats()
      let area = 3 * size * size
      for row in 0..<batch where start + row < slots {
        images.append(
          FaceCrop(network: values[row * area..<(row + 1) * area], size: size).image)
      }
    }
    return images
  }

  /// Windows of speech become silent; of anything else every row is the first.
  private func still(_ tensor: Tensor) throws(ModelError) -> Tensor {
    let shape = tensor.shape.dimensions
    let window = [1, MelSpectrogram.bands, MelSpectrogram.windowColumns]
    if Array(shape.dropFirst()) == window {
      return Tensor.filled(.float32, tensor.shape, with: -4)
    }
    return try Tensor.concatenated(
      [Tensor](repeating: try tensor.prefix(1), count: shape.first ?? 1))
  }
}
