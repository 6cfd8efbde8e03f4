import ArgumentParser
import Maquette
import TensorCore

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Compare two forms of a model layer by layer, the worst first.",
    discussion: "Layers are matched by name. B is the reference.")

  @Argument(help: "The model under test.")
  var a: String

  @Argument(help: "The reference.")
  var b: String

  @Option(
    name: .long,
    help: ArgumentHelp("A folder of samples; the first one is used.", valueName: "dir"))
  var inputs: String

  @Option(
    name: .long,
    help: ArgumentHelp("The part that is meant, where there are several.", valueName: "part"))
  var part: String?

  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var output: OutputOptions

  func run() throws {
    try report(output) { (progress) throws(ModelError) in
      try LayerwiseComparison(
        a, against: b, inputs: inputs, part: part, options: execution.options, progress: progress)
    }
  }
}
