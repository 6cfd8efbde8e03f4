import Foundation
import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore

let repository = URL(filePath: #filePath).deletingLastPathComponent()
  .appending(path: "../..").standardized

extension Graph {
  /// Random inputs: −1…1 for floats, 0…3 for integers; named extents are 2, 3 … in order of their names.
  func sampleInputs(seed: UInt64) throws -> [Tensor] {
    var numbers = RepeatableNumbers(seed: seed)
    var names: Set<String> = []
    for port in inputs {
      for case .symbol(let name) in type(port.value).dimensions ?? [] { names.insert(name) }
    }
    let extents = Dictionary(
      uniqueKeysWithValues: names.sorted().enumerated().map { ($1, $0 + 2) })
    return try inputs.map { port in
      let type = type(port.value)
      let shape = try Shape(
        (type.dimensions ?? []).map { dimension in
          switch dimension {
          case .fixed(let value): value
          case .symbol(let name): extents[name] ?? 2
          case .unknown: 2
          }
        })
      let values = (0..<shape.count).map { _ in
        let value = 2 * numbers.fraction() - 1
        return type.element.isFloatingPoint ? value : ((value + 1) * 2).rounded(.down)
      }
      return Tensor(type.element, shape, doubles: values)
    }
  }

  /// How many nodes there are of each kind, sorted by name.
  var census: String {
    var counts: [String: Int] = [:]
    for node in nodes { counts[Swift.type(of: node.op).name, default: 0] += 1 }
    return counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
      .joined(separator: ", ")
  }
}
