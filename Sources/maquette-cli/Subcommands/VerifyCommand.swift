import ArgumentParser
import Maquette
import TensorCore

struct VerifyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check a model against goldens: a folder's, or the bundle's own.",
    discussion: """
      Float models are held to |a − b| ≤ 1e-4 + 1e-4·|b| unless told otherwise. Int8 models are held to \
      what their family demands, or to an SQNR of 20 dB where they are of none. With --exact a bundle has \
      to give the outputs whose digests it recorded, to the last bit, on every tier and for any threads.
      """)

  @Argument(help: "An ONNX model or a bundle.")
  var file: String

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A folder of ONNX test folders or .npz sets; a bundle's own goldens without it.",
      valueName: "dir"))
  var golden: String?

  @Option(name: .long, help: "Relative tolerance; 1e-4 where --atol alone is given.")
  var rtol: Double?

  @Option(name: .long, help: "Absolute tolerance; 1e-4 where --rtol alone is given.")
  var atol: Double?

  @Option(name: .long, help: "Signal-to-noise ratio that every output has to reach, in decibels.")
  var minSqnr: Double?

  @Flag(name: .long, help: "Demand the same bytes.")
  var exact = false

  @Option(
    name: .long,
    help: ArgumentHelp(
      "An output that is an input of the next sample; once for each.", valueName: "output=input"))
  var carry: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp("The part that is meant, where there are several.", valueName: "part"))
  var part: String?

  @OptionGroup var bank: BankArguments
  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var output: OutputOptions

  func run() throws {
    try report(output) { (progress) throws(ModelError) in
      var request = Verification(model: file)
      request.golden = golden
      request.relative = rtol
      request.absolute = atol
      request.signalToNoise = minSqnr
      request.exact = exact
      request.part = part
      request.bank = bank.bank
      request.carried = try carry.map { (text) throws(ModelError) in
        let (output, input) = try assignment(text, as: "OUTPUT=INPUT")
        return CarriedState(output: output, input: input)
      }
      request.options = execution.options
      return try request.run(progress)
    }
  }
}
