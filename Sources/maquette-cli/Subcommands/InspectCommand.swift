import ArgumentParser
import Maquette
import TensorCore

struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show what a model is: family, ports, operators, sizes, and what stays float and why."
  )

  @Argument(help: "An ONNX model or a bundle.")
  var file: String?

  @Flag(name: .long, help: "Show the operators that Maquette has, and what of ONNX each reads.")
  var operators = false

  @Flag(name: .long, help: "Print the whole graph in its text form.")
  var graph = false

  @Option(
    name: .long,
    help: ArgumentHelp("The part that is meant, where there are several.", valueName: "part"))
  var part: String?

  @Flag(
    name: .long,
    help: "Run an int8 bundle a few times, and tell what each operator that stays float takes.")
  var timings = false

  @OptionGroup var output: OutputOptions

  func validate() throws {
    guard operators != (file != nil) else {
      throw ValidationError("give either a FILE or --operators")
    }
    guard !timings || file != nil && !graph else {
      throw ValidationError("--timings are of a FILE, without --graph")
    }
    guard part == nil || graph else {
      throw ValidationError("--part says whose --graph is printed")
    }
  }

  func run() throws {
    guard let file else {
      return try report(output) { (_) throws(ModelError) in OperatorTable() }
    }
    if graph {
      return try report(output) { (_) throws(ModelError) in try GraphListing(of: file, part: part) }
    }
    try report(output) { (_) throws(ModelError) in try Inspection(of: file, timed: timings) }
  }
}
