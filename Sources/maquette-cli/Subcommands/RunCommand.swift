import ArgumentParser
import Maquette
import TensorCore

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a model on files; its outputs become files.",
    discussion: """
      Inputs are .npy, .npz (the array of the input's name) or .pb files, and recordings and pictures where \
      the model's family knows what to do with them. Each output becomes NAME.npy; families of pictures \
      write frames/*.png as well.
      """)

  @Argument(help: "An ONNX model or a bundle.")
  var file: String

  @Option(
    name: .long, help: ArgumentHelp("An input and its file; once for each.", valueName: "name=file")
  )
  var input: [String] = []

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder for the outputs.", valueName: "dir"))
  var output: String

  @OptionGroup var face: FaceBoxArguments
  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var inputs: [(name: String, file: String)] = []
      for text in input { inputs.append(try assignment(text, as: "NAME=FILE")) }
      var request = Execution(model: file, inputs: inputs, output: output)
      request.box = try face.faceBox.map { (text) throws(ModelError) in try FaceBox.parse(text) }
      request.options = execution.options
      return try request.run(progress)
    }
  }
}
