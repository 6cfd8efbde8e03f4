import ArgumentParser
import Maquette
import TensorCore

struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "bench",
    abstract: "Time a model on made-up inputs, or on samples.")

  @Argument(help: "An ONNX model or a bundle.")
  var file: String

  @Option(name: .long, help: "What every open extent of the inputs is set to.")
  var batch = 1

  @Option(name: .long, help: "Timed runs.")
  var runs = 20

  @Flag(name: .long, help: "Show how the time is spent.")
  var perOperator = false

  @Option(
    name: .long,
    help: ArgumentHelp("A folder of samples; one run is all of them.", valueName: "dir"))
  var inputs: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "The part that is meant, where there are several; A+B are timed as one network.",
      valueName: "part"))
  var part: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Write --per-operator as a page for a browser, with every step and what it takes.",
      valueName: "file"))
  var html: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      """
      What a thread can do at best, 10⁹ a second: multiplications of int8 and float32, bytes of memory. Steps are \
      shown as shares of it. Once for each.
      """, valueName: "kind=rate"))
  var floor: [String] = []

  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var output: OutputOptions

  func run() throws {
    try report(output) { (progress) throws(ModelError) in
      var floors = BenchmarkFloors()
      for text in floor {
        let (kind, rate) = try assignment(text, as: "KIND=RATE")
        try floors.set(kind, rate)
      }
      let benchmark = try Benchmark(
        file, part: part, batch: batch, runs: runs, perOperator: perOperator || html != nil,
        samples: inputs, floors: floors, options: execution.options, progress: progress)
      if let html { try benchmark.writePage(to: html) }
      return benchmark
    }
  }
}
