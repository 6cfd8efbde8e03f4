import Glibc
import ModelIR
import TensorCore

/// Inputs and expected outputs in the layout of ONNX's own tests: a folder with `input_0.pb`, …,
/// `output_0.pb`, ….
package struct TestDataSet: Sendable {
  package struct Entry: Sendable {
    package let name: String
    package let tensor: Tensor
  }
  package let inputs: [Entry]
  package let outputs: [Entry]

  /// Tensors whose files have no name take that of the graph's port at their place.
  ///
  /// - Throws: `missing-input` where the folder has fewer tensors than the graph has ports.
  package init(
    folder: String, for graph: Graph, limits: ImportLimits = ImportLimits()
  ) throws(ModelError) {
    inputs = try TestDataSet.entries(folder, "input", graph.inputs.map(\.name), limits)
    outputs = try TestDataSet.entries(folder, "output", graph.outputs.map(\.name), limits)
  }

  private static func entries(
    _ folder: String, _ role: String, _ ports: [String], _ limits: ImportLimits
  ) throws(ModelError) -> [Entry] {
    var entries: [Entry] = []
    for (index, port) in ports.enumerated() {
      let (name, tensor) = try TensorFile.read(
        path: "\(folder)/\(role)_\(index).pb", limits: limits)
      entries.append(Entry(name: name.isEmpty ? port : name, tensor: tensor))
    }
    return entries
  }

  /// Writes tensors as a folder that ``init(folder:for:limits:)`` reads; it is made where it is not there.
  package static func write(
    inputs: [Entry], outputs: [Entry], folder: String
  ) throws(ModelError) {
    guard mkdir(folder, 0o755) == 0 || errno == EEXIST else {
      throw ModelError(
        .cannotCreate, "cannot create '\(folder)': \(String(cString: strerror(errno)))")
    }
    for (role, entries) in [("input", inputs), ("output", outputs)] {
      for (index, entry) in entries.enumerated() {
        try TensorFile.write(
          entry.tensor, named: entry.name, path: "\(folder)/\(role)_\(index).pb")
      }
    }
  }
}
