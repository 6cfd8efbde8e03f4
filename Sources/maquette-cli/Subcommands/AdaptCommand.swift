import ArgumentParser
import Maquette
import TensorCore

struct AdaptCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "adapt",
    abstract: "Adapt a bundle to one photograph, or list and take back what was saved.",
    discussion: """
      The bundle declares which of its tensors may adapt, how they usually do, and the limits; one that declares \
      nothing is refused. The bundle itself is never changed: --save keeps the adapted tensors in a file of their \
      own, which `run --adapted` takes.

      Where the mask is empty, or the loss is no number or goes up, the answer is the one without adaptation and \
      the status 1.
      """)

  @Argument(help: "The bundle; a file of adapted tensors for --list, --remove and --roll-back.")
  var file: String

  @Option(name: .long, help: ArgumentHelp("The photograph (.png).", valueName: "file"))
  var image: String?

  @Option(
    name: .long, help: ArgumentHelp("What the photograph should be (.png).", valueName: "file"))
  var clean: String?

  @Option(
    name: .shortAndLong, help: ArgumentHelp("The picture to write (.png).", valueName: "file"))
  var output: String?

  @Option(name: .long, help: "heads_hard, all_soft or light, as far as the bundle has them.")
  var preset: String?

  @Option(name: .long, help: "hard or soft, in place of the preset's.")
  var mask: String?

  @Option(
    name: .long,
    help: ArgumentHelp(
      "A tensor that adapts, in place of the preset's; once for each.", valueName: "part/tensor"))
  var tensor: [String] = []

  @Option(name: .long, help: "Steps of Adam.")
  var steps: Int?

  @Option(name: .long, help: "The learning rate.")
  var rate: Double?

  @Option(name: .long, help: "What the loss is multiplied by.")
  var factor: Double?

  @Option(
    name: .long,
    help: "The forward that is the answer: last-forward, as published, or after-update.")
  var answer = "last-forward"

  @Option(name: .long, help: "Points along the side of a tile; 0 takes the picture whole.")
  var tile: Int?

  @Option(
    name: .long, help: ArgumentHelp("Keep the adapted tensors in this file.", valueName: "file"))
  var save: String?

  @Option(name: .long, help: "What they are called there; the photograph's name by default.")
  var name: String?

  @Flag(name: .long, help: "List what a file of adapted tensors holds.")
  var list = false

  @Option(name: .long, help: ArgumentHelp("Take a state out of it.", valueName: "name"))
  var remove: String?

  @Flag(name: .long, help: "Take its last state out.")
  var rollBack = false

  @OptionGroup var execution: ExecutionArguments
  @OptionGroup var reporting: OutputOptions

  func run() throws {
    if list || remove != nil || rollBack {
      try report(reporting) { (_) throws(ModelError) in
        var request = AdaptedStates(file: file)
        request.remove = remove
        request.rollsBack = rollBack
        return try request.run()
      }
      return
    }
    try report(reporting) { (progress) throws(ModelError) in
      guard let image, let output else {
        throw ModelError(
          .usage, "give a photograph with --image and a picture to write with --output")
      }
      var request = Adaptation(model: file, image: image, output: output)
      request.clean = clean
      request.preset = preset
      request.mask = mask
      request.tensors = tensor
      request.steps = steps
      request.rate = rate
      request.factor = factor
      request.answer = answer
      request.tile = tile
      request.save = save
      request.name = name
      request.options = execution.options
      return try request.run(progress)
    }
  }
}
