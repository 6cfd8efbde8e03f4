import ArgumentParser
import Maquette
import TensorCore

struct QuantizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "quantize",
    abstract: "Make the int8 bundle of a float32 model.",
    discussion: "The calibration folder is what convert reads.")

  @Argument(help: "A float32 bundle or an ONNX model.")
  var file: String

  @Option(name: .shortAndLong, help: ArgumentHelp("The bundle to write.", valueName: "file"))
  var output: String

  @OptionGroup var conversion: ConversionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var request = try conversion.request(models: [("main", file)], output: output)
      request.precision = .int8
      return try request.run(progress)
    }
  }
}
