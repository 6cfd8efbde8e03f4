import Foundation

/// How a layer may run, each form with less noise than the one before it.
package enum LayerForm: String, Sendable, Codable, CaseIterable {
  /// Weights of fewer bits than eight (`Q68`).
  case narrow
  /// Int8 weights and operand.
  case int8
  /// Int8 weights, and an operand of 16 bits (`Q59`).
  case wide
  case float32
}

/// How layers came to their forms, and what each form of each costs (`Q60`).
package struct PrecisionPlan: Sendable, Codable, Hashable {
  /// A form that a layer can have.
  package struct Choice: Sendable, Codable, Hashable {
    package let form: LayerForm
    /// In the worst output while everything else is float, as a share of the signal.
    package let noise: Double
    /// What its weights take of a bundle.
    package let bytes: Int
    /// Products that take as long, over all samples (`Q67`).
    package let products: Int
    /// What it adds to a run; nil where no time was asked for, so that nothing was measured.
    package let milliseconds: Double?
  }

  /// A layer with weights.
  package struct Layer: Sendable, Codable, Hashable {
    package let name: String
    package let choices: [Choice]
    package let form: LayerForm

    /// What the layer chose.
    package var chosen: Choice? { choices.first { $0.form == form } }
  }

  /// Something that was demanded, with what the plan expected and what the whole graph has.
  package struct Figure: Sendable, Codable, Hashable {
    /// Such as "SQNR of frames" or "size".
    package let name: String
    /// `dB`, `MB`, `ms`, or nothing.
    package let unit: String
    /// Whether more is better.
    package let isLeast: Bool
    package let demanded: Double
    package internal(set) var predicted: Double
    package internal(set) var achieved: Double

    package var isMet: Bool { isLeast ? achieved >= demanded : achieved <= demanded }
  }

  package let layers: [Layer]
  package internal(set) var figures: [Figure]

  /// Layers of a form.
  package func count(_ form: LayerForm) -> Int { layers.count { $0.form == form } }
}
