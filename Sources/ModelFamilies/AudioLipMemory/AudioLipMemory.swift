import MediaIO
import ModelIR
import TensorCore

/// The audio-lip-memory talking face (SyncTalkFace, arXiv 2211.00924): a window of speech looks up what
/// lips did with it, and a U-shaped decoder draws the lower half of a face.
///
/// Face size, slots, widths and radius are the file's own.
extension ModelFamily {
  package static let audioLipMemory = ModelFamily(
    name: "audio-lip-memory",
    title: "audio-lip-memory talking face",
    roles: ["generator", "lips"],
    recognise: AudioLipMemory.recogniseAnyPart,
    nearMiss: AudioLipMemory.nearMiss,
    media: [.audio, .face, .video],
    perform: AudioLipMemory.perform,
    staysFloat: [
      FloatRule("an address is a share of e^(radius · cosine), which eight bits are too coarse for")
      {
        Swift.type(of: $1.op).name == "Softmax"
      }
    ],
    agreements: { part in
      guard let roles = try? AudioLipMemory.Roles(part) else { return [] }
      return [
        Agreement(
          output: roles.frames, measure: .peakRatio(range: 2, atLeast: 35),
          reason: "above 35 dB the two pictures cannot be told apart side by side")
      ]
    })
}

package enum AudioLipMemory {
  /// Which port is which, by shape: names are the exporter's choice.
  struct Roles {
    let audio: String
    /// Nil where the face is in the network.
    let faces: String?
    let frames: String
    let address: String?
    let faceSize: Int

    init(_ part: FamilyModel.Part) throws(ModelError) {
      func named(
        _ ports: [FamilyModel.Port], _ what: String, _ fits: ([Int?]) -> Bool
      ) throws(ModelError) -> FamilyModel.Port {
        let found = ports.filter { $0.type.dimensions.map { fits($0.map(\.value)) } ?? false }
        guard found.count == 1 else {
          throw ModelError(
            .shapeMismatch, "\(found.count) ports have the shape of the family's \(what)")
        }
        return found[0]
      }
      let window = [1, MelSpectrogram.bands, MelSpectrogram.windowColumns]
      audio = try named(part.inputs, "audio, N×1×80×16") {
        $0.count == 4 && Array($0.dropFirst()) == window
      }.name
      let picture = try named(part.outputs, "frames, N×3×S×S") {
        $0.count == 4 && $0[1] == 3 && $0[2] != nil && $0[2] == $0[3]
      }
      let size = picture.type.dimensions?[2].value ?? 0
      frames = picture.name
      faceSize = size
      faces =
        part.inputs.count < 2
        ? nil
        : try named(part.inputs, "faces, N×6×S×S") {
          FaceFrames.areFaces($0) && $0[2] == size
        }.name
      address = try? named(part.outputs, "address, N×slots") { $0.count == 2 }.name
    }
  }

  /// Six transposed convolutions, seven skips, a bounded output, and a key-value memory.
  @Sendable static func recognise(_ graph: Graph) -> ModelFamily.Recognition? {
    let view = GraphView(graph)
    let window: [Int?] = [1, MelSpectrogram.bands, MelSpectrogram.windowColumns]
    let inputs = graph.inputs.compactMap { view.extents($0.value) }.filter { $0.count == 4 }
    let outputs = graph.outputs.filter { view.extents($0.value)?.count == 4 }
    guard graph.inputs.count == 2, inputs.count == 2,
      inputs.contains(where: { Array($0.dropFirst()) == window }),
      let face = inputs.first(where: { $0[1] == 6 }), let size = face[2], face[3] == size,
      outputs.count == 1, let frames = view.extents(outputs[0].value),
      Array(frames.dropFirst()) == [3, size, size],
      view.count("ConvTranspose") == 6, endsWithTanh(outputs[0].value, view)
    else { return nil }
    let skips = graph.nodes.filter {
      view.kind($0) == "Concat" && graph.type($0.outputs[0]).rank == 4
    }
    let memories = KeyValueMemory.all(in: graph)
    guard skips.count == 7, memories.count == 1 else { return nil }
    let memory = memories[0]
    let widths = skips.compactMap { node in
      node.inputs.last.flatMap { $0 }.flatMap { view.extents($0)?[1] }
    }
    let traits = [
      ModelFamily.Trait("face-size", "\(size)"),
      ModelFamily.Trait("memory-key-width", "\(memory.keyWidth)"),
      ModelFamily.Trait("memory-radius", text(memory.radius)),
      ModelFamily.Trait("memory-slots", "\(memory.slots)"),
      ModelFamily.Trait("memory-value-width", "\(memory.valueWidth)"),
      ModelFamily.Trait("skip-widths", widths.map(String.init).joined(separator: " ")),
    ]
    return ModelFamily.Recognition("generator", traits)
  }

  static func text(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 1e9 ? "\(Int(value))" : "\(value)"
  }

  private static func endsWithTanh(_ value: ValueID, _ view: GraphView) -> Bool {
    guard let node = view.graph.producer(of: value) else { return false }
    return view.kind(node) == "Tanh"
      || node.op.attributes.contains { $0.name == "activation" && $0.value == .string("tanh") }
  }
}
