import Foundation
import MediaIO
import TensorCore

extension Adaptation {
  package struct Outcome: Report {
    package let model: String
    let precision: String
    package let preset: String
    let mask: String
    package let tensors: Int
    /// Numbers in the tensors.
    package let parameters: Int
    let steps: Int
    let rate: Double
    let factor: Double
    let answer: String
    package let tiles: Int
    /// The share of the points that count.
    package let maskShare: Double
    /// Before each update.
    package let losses: [Double]
    /// Why the answer is the one without adaptation.
    package let failure: String?
    /// What is computed once.
    let prepareSeconds: Double
    /// The steps, with the derivation and planning of the backward graph.
    let stepSeconds: Double
    package let seconds: Double
    package var files: [String] = []
    /// Of the noisy picture, the answer without adaptation and the answer.
    package var psnr: [Double] = []
    package var ssim: [Double] = []

    mutating func compare(
      _ noisy: DeepImage, _ before: DeepImage, _ after: DeepImage, with target: DeepImage
    ) {
      let qualities = [noisy, before, after].map { PictureQuality($0, against: target) }
      psnr = qualities.map(\.psnr)
      ssim = qualities.map(\.ssim)
    }

    package var passed: Bool { failure == nil }

    package var text: String {
      var lines = [
        "\(model) (\(precision)) adapted in \(Figure.milliseconds(seconds * 1000)), of which "
          + "\(Figure.milliseconds(prepareSeconds * 1000)) once",
        "  preset      \(preset): \(tensors) tensors, \(Figure.count(parameters)) numbers",
        "  mask        \(mask), \(String(format: "%.1f", maskShare * 100)) % of the points count",
        "  steps       \(steps) of Adam at \(rate), loss × \(factor), answer of the \(answer)",
        "  loss        "
          + losses.map { String(format: "%.6f", $0) }.joined(separator: " → "),
      ]
      if tiles > 1 { lines.append("  tiles       \(tiles), gradients added up") }
      if psnr.count == 3 {
        lines.append(
          String(
            format: "  quality     PSNR %.2f → %.2f → %.2f dB, SSIM %.4f → %.4f → %.4f "
              + "(noisy, without adaptation, with it)", psnr[0], psnr[1], psnr[2], ssim[0], ssim[1],
            ssim[2]))
      }
      if let failure {
        lines.append("  NOT ADAPTED \(failure): the answer is the one without adaptation")
      }
      for file in files { lines.append("  wrote \(file)") }
      return lines.joined(separator: "\n")
    }
  }
}

/// What a file of adapted tensors holds, and what becomes of it.
package struct AdaptedStates: Sendable {
  package var file: String
  /// A state to take out.
  package var remove: String?
  /// Takes the last state out.
  package var rollsBack = false

  package init(file: String) { self.file = file }

  package struct Outcome: Report {
    struct State: Encodable {
      let name: String
      let preset: String
      let steps: Int
      let rate: Double
      let tensors: Int
      let firstLoss: Double
      let lastLoss: Double
    }
    let file: String
    let base: String
    let removed: String?
    let states: [State]

    package var names: [String] { states.map(\.name) }

    package var text: String {
      var table = TextTable(
        ["state", "preset", "steps", "rate", "tensors", "loss"], numeric: [2, 3, 4])
      for state in states {
        table.add([
          state.name, state.preset, String(state.steps), String(state.rate),
          String(state.tensors),
          String(format: "%.6f → %.6f", state.firstLoss, state.lastLoss),
        ])
      }
      return
        (["\(file): adapted tensors of bundle \(base.prefix(12))"]
        + (removed.map { ["  removed \($0)"] } ?? [])
        + (states.isEmpty ? ["  no state is left; the file is gone"] : table.lines))
        .joined(separator: "\n")
    }
  }

  package func run() throws(ModelError) -> Outcome {
    var adapted = try AdaptedTensors(contentsOf: file)
    let name = rollsBack ? adapted.states.last?.name : remove
    if let name {
      try adapted.remove(name)
      if adapted.states.isEmpty {
        do { try FileManager.default.removeItem(atPath: file) } catch {
          throw ModelError(.inputOutput, "'\(file)' cannot be removed")
        }
      } else {
        try adapted.write(to: file)
      }
    }
    return Outcome(
      file: (file as NSString).lastPathComponent, base: adapted.base, removed: name,
      states: adapted.states.map {
        Outcome.State(
          name: $0.name, preset: $0.preset, steps: $0.steps, rate: $0.rate,
          tensors: $0.tensors.count, firstLoss: $0.losses.first ?? .nan,
          lastLoss: $0.losses.last ?? .nan)
      })
  }
}
