import Crypto
import Foundation
import TensorCore

/// SHA-256 over a tensor's type and bytes in the canonical form `VH1` of `formats/verification.md`: equal
/// exactly where the tensors are.
package struct TensorHash: Sendable, Hashable {
  /// 32 bytes.
  package let digest: [UInt8]

  package init(_ tensor: Tensor) {
    var hasher = SHA256()
    func add(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { hasher.update(bufferPointer: $0) }
    }
    hasher.update(data: Data(tensor.element.rawValue.utf8))
    add(UInt8(0))
    add(UInt64(tensor.shape.rank))
    for extent in tensor.shape.dimensions { add(UInt64(extent)) }
    add(UInt64(tensor.quantization?.scales.count ?? 0))
    if let quantization = tensor.quantization {
      for scale in quantization.scales { add(scale.bitPattern) }
      add(quantization.zeroPoint)
      add(Int64(quantization.axis ?? -1))
    }
    hasher.update(bufferPointer: tensor.bytes)
    digest = Array(hasher.finalize())
  }
}

extension TensorHash: CustomStringConvertible {
  /// 64 lower-case hexadecimal digits.
  package var description: String {
    digest.map { byte in
      let digits = String(byte, radix: 16)
      return digits.count == 1 ? "0" + digits : digits
    }.joined()
  }
}
