import ArgumentParser
import Foundation
import Maquette
import TensorCore

struct OutputOptions: ParsableArguments {
  @Flag(name: .long, help: "Print the result as JSON.")
  var json = false
}

struct ExecutionArguments: ParsableArguments {
  @Option(name: .long, help: "Threads to run on.")
  var threads = 1

  @Option(
    name: .long, help: "Integer kernels to use: scalar, avx2, avxvnni, avx512vnni or neondot.")
  var tier: String?

  @Flag(name: .long, help: "Run by plain loops instead of a plan: slow and obviously right.")
  var reference = false

  var options: ExecutionOptions {
    ExecutionOptions(threads: threads, tier: tier, reference: reference)
  }
}

/// The face's place in a picture, as `--face-box 70,75,180,185`.
struct FaceBoxArguments: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "Where the face is in the picture; all of it by default.", valueName: "left,top,right,bottom")
  )
  var faceBox: String?
}

/// Which bank a bundle's memories read.
struct BankArguments: ParsableArguments {
  @Option(
    name: .long,
    help: ArgumentHelp(
      "The bank that the memories read in place of the one in use; goldens of the bundle's own are of that one.",
      valueName: "name"))
  var bank: String?
}

/// The two sides of an argument `left=right`.
func assignment(_ text: String, as form: String) throws(ModelError) -> (String, String) {
  guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
    throw ModelError(.usage, "'\(text)' is not \(form)")
  }
  return (String(text[..<equals]), String(text[text.index(after: equals)...]))
}

extension ParsableCommand {
  /// Runs a command's work and reports its result; errors end the program with their exit status.
  func report<R: Report>(
    _ output: OutputOptions, _ work: (ProgressObserver) throws(ModelError) -> R
  ) throws {
    let bar = ProgressBar()
    let result: R
    do throws(ModelError) {
      result = try work(bar.progress)
    } catch {
      bar.clear()
      throw try fail(error, json: output.json)
    }
    bar.clear()
    do throws(ModelError) {
      print(output.json ? try result.json() : result.text)
    } catch {
      throw try fail(error, json: output.json)
    }
    if !result.passed { throw ExitCode(1) }
  }

  private func fail(_ error: ModelError, json: Bool) throws -> ExitCode {
    FileHandle.standardError.write(Data("maquette: \(error)\n".utf8))
    if json { print(try Failure(error).json()) }
    return ExitCode(error.code.exitStatus)
  }
}

/// An error as JSON.
private struct Failure: Report {
  struct Content: Encodable {
    let code: String
    let message: String
    let trail: [String]
  }
  let error: Content
  var text: String { error.message }

  init(_ error: ModelError) {
    self.error = Content(code: error.code.rawValue, message: error.message, trail: error.trail)
  }
}

extension ModelError.Code {
  /// The exit status that tells scripts what kind of thing went wrong, as in `sysexits.h`.
  var exitStatus: Int32 {
    switch self {
    case .usage: 64
    case .missingInput: 66
    case .cannotCreate: 73
    case .inputOutput: 74
    default: 65
    }
  }
}

/// One line on standard error that says how far the work is; silent where that is not a terminal.
final class ProgressBar {
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var shown = ""

  var progress: ProgressObserver {
    guard isTerminal else { return .silent }
    return ProgressObserver { [self] step, done, total in
      var line = step
      if total > 0 {
        let filled = 20 * done / total
        line +=
          " [" + String(repeating: "█", count: filled)
          + String(repeating: "·", count: 20 - filled) + "] \(done)/\(total)"
      } else if done > 0 {
        line += " \(done)"
      }
      guard line != shown else { return }
      shown = line
      FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8))
    }
  }

  func clear() {
    if isTerminal, !shown.isEmpty { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    shown = ""
  }
}
