import ArgumentParser
import Maquette
import TensorCore

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Run a model on files; its outputs become files.",
    discussion: """
      Inputs are .npy, .npz (the array of the input's name) or .pb files; or media where the model's family \
      knows what to do with them. Each output becomes NAME.npy; families of pictures write frames/*.png \
      and, where ffmpeg is on the PATH, video.mp4; others write pictures, sound and text.
      """)

  @Argument(help: "An ONNX model or a bundle.")
  var file: String

  @Option(
    name: .long, help: ArgumentHelp("An input and its file; once for each.", valueName: "name=file")
  )
  var input: [String] = []

  @Option(name: .long, help: ArgumentHelp("A recording: WAV, FLAC or Ogg.", valueName: "file"))
  var audio: String?

  @Option(name: .long, help: ArgumentHelp("A text to be said.", valueName: "text"))
  var text: String?

  @Option(name: .long, help: ArgumentHelp("A picture of a face (.png).", valueName: "file"))
  var face: String?

  @Option(name: .long, help: ArgumentHelp("A folder of frames (.png).", valueName: "dir"))
  var video: String?

  @Option(name: .long, help: ArgumentHelp("A photograph (.png).", valueName: "file"))
  var image: String?

  @Option(
    name: .long, help: ArgumentHelp("What the photograph should be (.png).", valueName: "file"))
  var clean: String?

  @Option(
    name: .long,
    help: ArgumentHelp("A choice that the family has; once for each.", valueName: "name=value"))
  var option: [String] = []

  @Option(
    name: .long,
    help: ArgumentHelp("The part that tensors are for, where there are several.", valueName: "part")
  )
  var part: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "Tensors that an adaptation saved, in place of the bundle's.", valueName: "file"))
  var adapted: String?

  @Option(
    name: .long,
    help: ArgumentHelp("The state of --adapted; the last one by default.", valueName: "name"))
  var state: String?

  @OptionGroup var bank: BankArguments

  @Option(name: .shortAndLong, help: ArgumentHelp("The folder for the outputs.", valueName: "dir"))
  var output: String

  @OptionGroup var box: FaceBoxArguments
  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    try report(reporting) { (progress) throws(ModelError) in
      var inputs: [(name: String, file: String)] = []
      for text in input {
        let (name, file) = try assignment(text, as: "NAME=FILE")
        inputs.append((name, file))
      }
      var request = Execution(model: file, inputs: inputs, output: output)
      request.media.audio = audio
      request.media.text = text
      request.media.face = face
      request.media.video = video
      request.media.image = image
      request.media.clean = clean
      for text in option {
        let (name, value) = try assignment(text, as: "NAME=VALUE")
        request.media.options[name] = value
      }
      request.media.box = try FaceBox.parse(box.faceBox)
      request.part = part
      request.adapted = adapted
      request.state = state
      request.bank = bank.bank
      request.options = execution.options
      return try request.run(progress)
    }
  }
}
