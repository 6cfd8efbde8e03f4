import MediaIO
import ModelQuantization
import TensorCore

/// The cases of an enumeration by the names that commands take.
package struct NamedChoices<Choice: CaseIterable & RawRepresentable>
where Choice.RawValue == String {
  /// What the case is that a command takes by itself.
  package let usual: String
  private let what: String

  /// - Parameter what: what one case is called in errors.
  fileprivate init(_ what: String, usual: Choice) {
    self.what = what
    self.usual = usual.rawValue
  }

  package var names: [String] { Choice.allCases.map(\.rawValue) }

  /// - Throws: `usage` where `name` is none of them.
  package func named(_ name: String) throws(ModelError) -> Choice {
    guard let choice = Choice(rawValue: name) else {
      throw ModelError(.usage, "'\(name)' is no \(what); \(names.joined(separator: ", ")) are")
    }
    return choice
  }
}

/// The choices that a conversion leaves to its caller.
package enum ConversionChoices {
  /// The ways of choosing ranges.
  package static var method: NamedChoices<CalibrationMethod> {
    NamedChoices("calibration method", usual: .mse)
  }
  /// The ways of rounding weights.
  package static var rounding: NamedChoices<WeightRounding> {
    NamedChoices("way of rounding weights", usual: .adaptive)
  }
  /// The ways of balancing channels.
  package static var balance: NamedChoices<ChannelBalance> {
    NamedChoices("way of balancing channels", usual: .none)
  }
}

/// How coarsely weights may be rounded, as commands take it.
package enum WeightNoises {
  package static let usual = 0.2

  package static func checked(_ share: Double) throws(ModelError) -> Double {
    guard (0...100).contains(share) else {
      throw ModelError(.usage, "\(share) is no weight noise: a number from 0 to 100")
    }
    return share
  }
}

/// Weights of fewer bits, as commands take them.
package enum WeightGrids {
  /// Nil for eight bits.
  package static func of(bits: Int, group: Int) throws(ModelError) -> WeightGrid? {
    try WeightGrid(bits: bits, group: group)
  }
}

/// The place of a face as commands take it: left,top,right,bottom in pixels.
package enum FaceBox {
  /// Nil for nil.
  package static func parse(_ text: String?) throws(ModelError) -> Box? {
    guard let text else { return nil }
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard numbers.count == 4, let left = numbers[0], let top = numbers[1], let right = numbers[2],
      let bottom = numbers[3]
    else { throw ModelError(.usage, "'\(text)' is not left,top,right,bottom") }
    return try Box(left: left, top: top, right: right, bottom: bottom)
  }
}
