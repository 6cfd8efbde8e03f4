import Foundation
import OnnxFormat
import TensorCore

extension Tensor {
  /// The tensor of a `.npy` or `.pb` file, or of an `.npz` file: the array of the input's name, or NAME of `FILE.npz:NAME`.
  init(file: String, named input: String) throws(ModelError) {
    let parts = file.components(separatedBy: ".npz:")
    let (path, name) = parts.count == 2 ? (parts[0] + ".npz", parts[1]) : (file, input)
    switch (path as NSString).pathExtension.lowercased() {
    case "npy": self = try NumpyArray.read(path: path)
    case "pb": self = try TensorFile.read(path: path).tensor
    case "npz":
      let arrays = try NumpyArchive.read(path: path)
      guard let found = arrays.first(where: { $0.name == name }) else {
        throw ModelError(
          .missingInput,
          "'\(path)' has no array '\(name)'; it has \(arrays.map(\.name).joined(separator: ", "))")
      }
      self = found.tensor
    default:
      throw ModelError(
        .usage, "'\(file)' is no input: .npy, .npz, .pb, .wav, .flac, .ogg and .png are read")
    }
  }
}
