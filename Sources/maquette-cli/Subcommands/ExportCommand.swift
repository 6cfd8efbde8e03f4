import ArgumentParser
import Maquette
import TensorCore

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a model as standard ONNX; int8 becomes QuantizeLinear and DequantizeLinear.")

  @Argument(help: "An ONNX model or a bundle.")
  var file: String

  @Option(name: .shortAndLong, help: ArgumentHelp("The ONNX model to write.", valueName: "file"))
  var output: String

  @Option(
    name: .long,
    help: ArgumentHelp("The part that is meant, where there are several.", valueName: "part"))
  var part: String?

  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var request = Export(model: file, output: output)
      request.part = part
      return try request.run(progress)
    }
  }
}
