import ArgumentParser
import Maquette
import TensorCore

struct MemoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "memory",
    abstract: "Show what a key-value memory does while media go by, and change what it holds.",
    discussion: """
      Writes a picture of the addresses over time with the share of each slot beside it, and, where the model \
      draws frames, a sheet of what each slot shows by itself; memory.html holds all of it with axes, for a browser. \
      With --phones the slots' purity is told; with --against how another form of the model addresses.

      What a bundle's memories hold is a bank with a name. --list names the banks, --export writes one to an archive, --add and \
      --replace take one from an archive or from a model that has such memories, --remove takes one out, and --use makes one \
      the bank that the memories read.
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

  @Flag(name: .long, help: "List memories and banks.")
  var list = false

  @Option(
    name: .long, help: ArgumentHelp("Write a bank to an archive (.npz).", valueName: "name=file"))
  var export: String?

  @Option(
    name: .long,
    help: ArgumentHelp("Add a bank from an archive or a model.", valueName: "name=file"))
  var add: String?

  @Option(
    name: .long,
    help: ArgumentHelp("Replace a bank by that of an archive or a model.", valueName: "name=file"))
  var replace: String?

  @Option(name: .long, help: ArgumentHelp("Remove a bank.", valueName: "name"))
  var remove: String?

  @Option(name: .long, help: ArgumentHelp("Let the memories read a bank.", valueName: "name"))
  var use: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The folder for the pictures, or the changed bundle; by default it takes the place of the old one.",
      valueName: "path"))
  var output: String?

  @OptionGroup var box: FaceBoxArguments
  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    guard !list, export == nil, add == nil, replace == nil, remove == nil, use == nil else {
      return try report(reporting) { (_) throws(ModelError) in
        let actions = try actions()
        guard actions.count == 1 else {
          throw ModelError(
            .usage, "one of --list, --export, --add, --replace, --remove and --use at a time")
        }
        guard [against, audio, face, video, phones].allSatisfy({ $0 == nil }) else {
          throw ModelError(.usage, "media and --against are for pictures, not for banks")
        }
        var request = BankRequest(bundle: file, action: actions[0])
        request.output = output
        return try request.run()
      }
    }
    try report(reporting) { (progress) throws(ModelError) in
      guard let output else {
        throw ModelError(.usage, "--output says where the pictures go")
      }
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

  /// What is asked of the banks.
  private func actions() throws(ModelError) -> [BankRequest.Action] {
    func named(
      _ text: String?, _ action: (String, String) -> BankRequest.Action
    ) throws(ModelError) -> BankRequest.Action? {
      try text.map { (text) throws(ModelError) in
        let (name, file) = try assignment(text, as: "NAME=FILE")
        return action(name, file)
      }
    }
    return [
      list ? .list : nil, try named(export) { .export($0, file: $1) },
      try named(add) { .add($0, file: $1) }, try named(replace) { .replace($0, file: $1) },
      remove.map { .remove($0) }, use.map { .use($0) },
    ].compactMap { $0 }
  }
}
