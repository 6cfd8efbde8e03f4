import ArgumentParser
import Maquette
import TensorCore

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Show what a key-value memory does while media go by.",
    discussion: """
      Writes a picture of the addresses over time with the share of each slot beside it, and, where the model \
      draws frames, a sheet of what each slot shows by itself. With --phones the slots' purity is told; \
      with --against how another form of the model addresses.
      """)

  @Argument(help: "An ONNX model or a bundle.")
  var file: String

  @Option(
    name: .long, help: ArgumentHelp("Another form of the model, such as int8.", valueName: "file"))
  var against: String?

  @Option(name: .long, help: ArgumentHelp("A recording: WAV, FLAC or Ogg.", valueName: "file"))
  var audio: String?

  @Option(name: .long, help: ArgumentHelp("A picture of a face (.png).", valueName: "file"))
  var face: String?

  @Option(name: .long, help: ArgumentHelp("A folder of frames (.png).", valueName: "dir"))
  var video: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "What sounds when: lines of the second at which a phone ends, and the phone.",
      valueName: "file"))
  var phones: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder for the pictures.", valueName: "dir"))
  var output: String

  @OptionGroup var box: FaceBoxArguments
  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var request = MemoryRequest(model: file, output: output)
      request.against = against
      request.media.audio = audio
      request.media.face = face
      request.media.video = video
      request.media.box = try FaceBox.parse(box.faceBox)
      request.phones = phones
      request.options = execution.options
      return try request.run(progress)
    }
  }
}
