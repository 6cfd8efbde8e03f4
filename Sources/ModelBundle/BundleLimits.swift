/// What a bundle may ask for before it is refused (`B20`). Readers take smaller ones where they know
/// more; writers refuse to write what the defaults refuse to read.
package struct BundleLimits: Sendable {
  package var headerBytes = 4 << 20
  package var sections = 32_768
  package var tensors = 65_536
  package var nameBytes = 1024
  package var recordBytes = 16 << 20
  package var graphTextBytes = 64 << 20
  /// Bytes of all sections, unpacked.
  package var contentBytes = 8 << 30
  /// The content may be this much and ``expansion`` times the file.
  package var expansionFloor = 64 << 20
  package var expansion = 256
  /// Base-2 logarithm of the greatest zstd window.
  package var windowLog = 27
  /// Bytes of constants that a graph's text may spell out.
  package var inlineConstantBytes = 1 << 20

  package init() {}
}
