import ArgumentParser
import Foundation
import Maquette
import TensorCore

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert an ONNX model to a bundle, in float32 or int8.",
    discussion: """
      Several models that work together become the parts of one bundle: give each as --part NAME=FILE. \
      Where the family of a single model keeps it as several parts, it becomes these.

      The calibration folder holds .npz sets keyed by input name, ONNX test folders, or media where the \
      model's family knows what to do with them: recordings (.wav .flac .ogg) and a picture of a face \
      (.png), folders of frames, or photographs (.png). A folder PART in it is for that part alone.
      """)

  @Argument(help: "The model to convert.")
  var model: String?

  @Option(
    name: .long,
    help: ArgumentHelp("A model that becomes a part of the bundle.", valueName: "name=file"))
  var part: [String] = []

  @Option(name: .shortAndLong, help: ArgumentHelp("The bundle to write.", valueName: "file"))
  var output: String

  @Option(name: .long, help: "float32 or int8; int8 needs --calibration.")
  var precision = Conversion.Precision.float32

  @OptionGroup var conversion: ConversionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var models: [(part: String, file: String)] = model.map { [("main", $0)] } ?? []
      for text in part {
        let (name, file) = try assignment(text, as: "NAME=FILE")
        models.append((name, file))
      }
      guard !models.isEmpty else {
        throw ModelError(.usage, "give a model, or parts with --part NAME=FILE")
      }
      var request = try conversion.request(models: models, output: output)
      request.precision = precision
      return try request.run(progress)
    }
  }
}

/// What `convert` and `quantize` have in common.
struct ConversionArguments: ParsableArguments {
  @Option(name: .long, help: ArgumentHelp("A folder of samples.", valueName: "dir"))
  var calibration: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Write the samples that calibrate each part, as other programs can read them.",
      valueName: "dir"))
  var keepSamples: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Go on from the samples that this file remembers, and remember all in it.", valueName: "file")
  )
  var sketch: String?

  @Option(
    name: .long,
    help: "How ranges are chosen: \(ConversionChoices.method.names.joined(separator: ", ")).")
  var method = ConversionChoices.method.usual

  @Option(
    name: .long,
    help: "How weights are rounded: \(ConversionChoices.rounding.names.joined(separator: ", ")).")
  var rounding = ConversionChoices.rounding.usual

  @Option(
    name: .long,
    help:
      "Where channels of unlike ranges are balanced: \(ConversionChoices.balance.names.joined(separator: ", "))."
  )
  var balance = ConversionChoices.balance.usual

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      The share by which the noise of the outputs may grow so that weights take less room: the more, the \
      smaller the bundle. (default: \(WeightNoises.usual); 0 where a plan keeps outputs near)
      """, valueName: "share"))
  var weightNoise: Double?

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      Bits of the weights of layers in the bundle, 2 to 8; they run as int8. A plan has eight where fewer \
      would miss what it keeps.
      """, valueName: "bits"))
  var weightBits = 8

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Weights that have one multiplier, where they have fewer than eight bits: 16, 32, 64 or 128.",
      valueName: "weights"))
  var weightGroup = 32

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A folder of samples that become the bundle's goldens; without it some calibration samples do.",
      valueName: "dir"))
  var golden: String?

  @Flag(
    name: .long,
    help: "Write no goldens: a smaller bundle, which verify takes with --golden only.")
  var withoutGoldens = false

  @Option(name: .long, help: ArgumentHelp("Name of a node to keep in float.", valueName: "node"))
  var keepFloat: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Name of a layer that reads 16 bits, as two int8 operands; all for every layer.",
      valueName: "node"))
  var wide: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      Let layers read 16 bits, and sums stay float32, first those that lose most for what they cost, while \
      either costs no more than this share of all products; and all layers that lead to a memory, where they sum \
      no more than five times as much.
      """, valueName: "share"))
  var wideShare = 0.02

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      Memories do not read slots whose share is below this, at most one over the number of slots; by how much \
      what they read can be off is reported.
      """, valueName: "share"))
  var leastShare: Float?

  @OptionGroup(title: "Plan options") var plan: PlanArguments

  @Option(
    name: .long,
    help: "Threads to calibrate on, by default one for each core; results do not depend on it.")
  var threads: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("Stop optimising after so many rewrites.", valueName: "rewrites"))
  var stopAfter: Int?

  @Option(
    name: .long,
    help: ArgumentHelp("The words of a lip reader, one a line, in its order.", valueName: "file"))
  var words: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "How a text-driven face says words: a word and its phones a line, as in the CMU dictionary.",
      valueName: "file"))
  var lexicon: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Something else that the family takes: a text file of lines.", valueName: "name=file"))
  var setting: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      An input that is the same in every run: a tensor, a picture of a face, or a number. What depends on it \
      alone is computed once and stored. Once for each.
      """, valueName: "input=file"))
  var bind: [String] = []

  @OptionGroup var face: FaceBoxArguments

  func request(
    models: [(part: String, file: String)], output: String
  ) throws(ModelError) -> Conversion {
    var request = Conversion(models: models, output: output)
    for text in setting {
      let (name, file) = try assignment(text, as: "NAME=FILE")
      request.settings[name] = file
    }
    for text in bind {
      let (input, file) = try assignment(text, as: "INPUT=FILE")
      request.bindings.append((input, file))
    }
    if let words { request.settings["words"] = words }
    if let lexicon { request.settings["lexicon"] = lexicon }
    request.calibration = calibration
    request.keptSamples = keepSamples
    request.sketch = sketch
    request.method = try ConversionChoices.method.named(method)
    request.rounding = try ConversionChoices.rounding.named(rounding)
    if let weightNoise { request.weightNoise = try WeightNoises.checked(weightNoise) }
    request.grid = try WeightGrids.of(bits: weightBits, group: weightGroup)
    request.keepsGoldens = !withoutGoldens
    request.balance = try ConversionChoices.balance.named(balance)
    request.golden = golden
    request.keptFloat = Set(keepFloat)
    request.wide = Set(wide)
    guard (0...1).contains(wideShare) else {
      throw ModelError(.usage, "a share of all products is 0 to 1")
    }
    request.wideShare = wideShare
    if let leastShare, !(0...1).contains(leastShare) {
      throw ModelError(.usage, "a least share is 0 to 1")
    }
    request.leastShare = leastShare
    request.plan = plan.demands
    request.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    request.box = try FaceBox.parse(face.faceBox)
    if let stopAfter { request.stopAfter = stopAfter }
    return request
  }
}

/// What a plan is to keep.
struct PlanArguments: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      Choose for each layer among int8, int8 weights with 16-bit activations, and float, so that every output has this \
      signal-to-noise ratio on the first two samples.
      """, valueName: "dB"))
  var minSqnr: Double?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The same for the peak signal-to-noise ratio, of the outputs for which the family has a range.",
      valueName: "dB"))
  var minPsnr: Double?

  @Flag(name: .long, help: "The same for what the family demands of its outputs.")
  var asFamilyDemands = false

  @Option(
    name: .long,
    help: ArgumentHelp("What the bundle may take, its goldens aside.", valueName: "megabytes"))
  var maxMb: Double?

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      What a run on the first sample may take on one thread. Times are measured, so that another conversion may \
      choose otherwise; without this the same samples give the same bundle.
      """, valueName: "milliseconds"))
  var maxMs: Double?

  var demands: PlanDemands {
    var demands = PlanDemands()
    demands.leastRatio = minSqnr
    demands.leastPeakRatio = minPsnr
    demands.greatestMegabytes = maxMb
    demands.greatestMilliseconds = maxMs
    demands.asFamilyDemands = asFamilyDemands
    return demands
  }
}

extension Conversion.Precision: ExpressibleByArgument {}
