import ArgumentParser
import Maquette
import TensorCore

struct ConvertCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "convert",
    abstract: "Convert an ONNX model to a bundle, in float32 or int8.",
    discussion: """
      The calibration folder holds .npz sets keyed by input name, ONNX test folders, or media where the \
      model's family knows what to do with them: recordings (.wav .flac .ogg) and one picture (.png).
      """)

  @Argument(help: "The model to convert.")
  var model: String

  @Option(name: .shortAndLong, help: ArgumentHelp("The bundle to write.", valueName: "file"))
  var output: String

  @Option(name: .long, help: "float32 or int8; int8 needs --calibration.")
  var precision = Conversion.Precision.float32

  @OptionGroup var conversion: ConversionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var request = try conversion.request(model: model, output: output)
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
    help: "How ranges are chosen: \(CalibrationMethods.names.joined(separator: ", ")).")
  var method = CalibrationMethods.usual

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A folder of samples that become the bundle's goldens; without it some calibration samples do.",
      valueName: "dir"))
  var golden: String?

  @Option(name: .long, help: ArgumentHelp("Name of a node to keep in float.", valueName: "node"))
  var keepFloat: [String] = []

  @Option(name: .long, help: "Threads to calibrate on; results do not depend on it.")
  var threads = 1

  @Option(
    name: .long,
    help: ArgumentHelp("Stop optimising after so many rewrites.", valueName: "rewrites"))
  var stopAfter: Int?

  @OptionGroup var face: FaceBoxArguments

  func request(model: String, output: String) throws(ModelError) -> Conversion {
    var request = Conversion(model: model, output: output)
    request.calibration = calibration
    request.method = try CalibrationMethods.named(method)
    request.golden = golden
    request.keptFloat = Set(keepFloat)
    request.threads = threads
    request.box = try face.faceBox.map { (text) throws(ModelError) in try FaceBox.parse(text) }
    if let stopAfter { request.stopAfter = stopAfter }
    return request
  }
}

extension Conversion.Precision: ExpressibleByArgument {}
