import MediaIO
import ModelQuantization
import TensorCore

/// The ways of choosing ranges, by the names that commands take.
package enum CalibrationMethods {
  package static let names = CalibrationMethod.allCases.map(\.rawValue)
  package static let usual = CalibrationMethod.mse.rawValue

  package static func named(_ name: String) throws(ModelError) -> CalibrationMethod {
    guard let method = CalibrationMethod(rawValue: name) else {
      throw ModelError(
        .usage, "'\(name)' is no calibration method; \(names.joined(separator: ", ")) are")
    }
    return method
  }
}

/// The ways of rounding weights, by the names that commands take.
package enum WeightRoundings {
  package static let names = WeightRounding.allCases.map(\.rawValue)
  package static let usual = WeightRounding.corrected.rawValue

  package static func named(_ name: String) throws(ModelError) -> WeightRounding {
    guard let rounding = WeightRounding(rawValue: name) else {
      throw ModelError(
        .usage, "'\(name)' is no way of rounding weights; \(names.joined(separator: ", ")) are")
    }
    return rounding
  }
}

/// Ways of balancing channels by the names that arguments have.
package enum ChannelBalances {
  package static let names = ChannelBalance.allCases.map(\.rawValue)
  package static let usual = ChannelBalance.none.rawValue

  package static func named(_ name: String) throws(ModelError) -> ChannelBalance {
    guard let balance = ChannelBalance(rawValue: name) else {
      throw ModelError(
        .usage, "'\(name)' is no way of balancing channels; \(names.joined(separator: ", ")) are")
    }
    return balance
  }
}

/// How coarsely weights may be rounded, as commands take it: a share, or `auto`.
package enum WeightNoises {
  /// Nil for `auto`.
  package static func named(_ text: String) throws(ModelError) -> Double? {
    if text == "auto" { return nil }
    guard let share = Double(text), (0...100).contains(share) else {
      throw ModelError(.usage, "'\(text)' is no weight noise: a number from 0 to 100, or auto")
    }
    return share
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
