import COpenBLAS
import ModelKernels
import ModelOperators

/// Float32 matrix products by OpenBLAS, one thread a call: kernels share out their own tasks. Results
/// differ in the last bits between CPUs, so integer bundles never use it.
package struct OpenBLASMatrices: MatrixBackend {
  private static let singleThreaded: Void = {
    openblas_set_num_threads(1)
    openblas_end_threads()
  }()

  package init() { Self.singleThreaded }

  /// Ends the threads that the library has made when it was loaded: before anything that wants all cores.
  package static func endThreads() { singleThreaded }

  /// False where the library does not know the processor and falls back to kernels of an instruction
  /// set far below the one that `tier` uses: an OpenBLAS older than the processor does.
  package static func suits(_ tier: KernelTier) -> Bool {
    guard tier.name.hasPrefix("avx") else { return true }
    guard let name = openblas_get_corename() else { return false }
    let withoutAVX2: Set = [
      "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Sandybridge", "Atom", "Nano",
      "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat", "Bulldozer", "Piledriver", "Steamroller",
      "Katmai", "Coppermine", "Northwood", "Banias", "Athlon", "Unknown",
    ]
    return !withoutAVX2.contains(String(cString: name))
  }

  package func multiply(
    m: Int, n: Int, k: Int,
    a: UnsafePointer<Float>, aStride: Int, transposeA: Bool,
    b: UnsafePointer<Float>, bStride: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Float>, cStride: Int, accumulate: Bool
  ) {
    cblas_sgemm(
      CblasRowMajor, transposeA ? CblasTrans : CblasNoTrans, transposeB ? CblasTrans : CblasNoTrans,
      Int32(m), Int32(n), Int32(k), 1, a, Int32(max(aStride, 1)), b, Int32(max(bStride, 1)),
      accumulate ? 1 : 0, c, Int32(max(cStride, 1)))
  }
}

/// Float32 matrix products by the kernels of a tier: each element is the sum over k, in order.
package struct TierMatrices: MatrixBackend {
  private let tier: KernelTier
  private let isFused: Bool

  /// - Parameter isFused: products need not be rounded before they are added; else the bits are those of `Q29`, the same everywhere.
  package init(tier: KernelTier, isFused: Bool) {
    self.tier = tier
    self.isFused = isFused
  }

  package func multiply(
    m: Int, n: Int, k: Int,
    a: UnsafePointer<Float>, aStride: Int, transposeA: Bool,
    b: UnsafePointer<Float>, bStride: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Float>, cStride: Int, accumulate: Bool
  ) {
    tier.multiply(
      m: m, n: n, k: k, a: a, aStride: aStride, transposeA: transposeA, b: b, bStride: bStride,
      transposeB: transposeB, c: c, cStride: cStride, accumulate: accumulate, isFused: isFused)
  }
}
