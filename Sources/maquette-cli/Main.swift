import ArgumentParser
import Maquette
import TensorCore

@main
struct MaquetteCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "maquette",
    abstract: "Converts, quantizes, bundles, runs and verifies neural networks.",
    discussion: """
      FILE is an ONNX model or a Maquette bundle everywhere.

      Exit statuses: 0 ok; 1 the check failed; 64 usage; 65 bad input data; 66 missing input; \
      73 can't create output; 74 input or output error.
      """,
    version: ToolVersion.current,
    subcommands: [
      InspectCommand.self, ConvertCommand.self, QuantizeCommand.self, VerifyCommand.self,
      RunCommand.self, CompareCommand.self, BenchCommand.self, ExportCommand.self,
      MemoryCommand.self, AdaptCommand.self,
    ])
}
