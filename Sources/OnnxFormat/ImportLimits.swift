import ModelIR

/// What an ONNX file may ask for, checked before anything is taken; `formats/import-limits.md` gives
/// the reasons.
package struct ImportLimits: Sendable {
  /// Bytes of one model or tensor file; protobuf itself ends at 2 GiB.
  package var fileBytes = 2 << 30
  /// Memory that unpacking may take: this many times the file …
  package var memoryFactor = 4
  /// … and this many bytes more.
  package var memoryFloor = 64 << 20
  /// Nodes, after functions are inlined and with those of graphs within nodes, as often as each is built.
  package var nodes = 200_000
  package var initializers = 100_000
  /// Inputs and outputs of the graph or of one function.
  package var ports = 4096
  /// Operands, results or attributes of one node.
  package var nodeParts = 65_536
  /// Elements of one attribute's list.
  package var listLength = 1 << 20
  /// Bytes of one name or string.
  package var stringBytes = 1 << 16
  /// Functions that call functions.
  package var functionDepth = 32
  /// Graphs within graphs.
  package var graphDepth = Graph.maximumDepth
  /// Bytes of all tensors together, those of external files included.
  package var tensorBytes = 64 << 30
  /// Entries of a compressed archive of arrays.
  package var archiveEntries = 65_536
  /// Bytes of all entries of a compressed archive together, once inflated.
  package var archiveBytes = 4 << 30

  package init() {}
}
