import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension Convolution: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    request.isFloat32 ? try floatKernel(request) : nil
  }

  private func floatKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let geometry = try ConvolutionGeometry(
      self, input: request.operands.required(0).shape, weight: request.operands.required(1).shape)
    guard geometry.multiplyAccumulates > 0 else { return nil }
    let epilogue = FloatEpilogue(epilogue, request, from: 2)
    if geometry.groupInputChannels == 1, geometry.groups > 1 {
      return Convolution.depthwise(geometry, epilogue)
    }
    if let direct = try PlannedKernel(direct: geometry, .filtersFirst, epilogue, request) {
      return direct
    }
    return Convolution.products(geometry, epilogue, request)
  }

  /// One filter for each output plane: direct sums.
  private static func depthwise(
    _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue
  ) -> PlannedKernel {
    let patches = PatchMatrix(geometry.window)
    let (input, output) = (geometry.window.inputCount, geometry.window.outputCount)
    let channels = geometry.outputChannels
    let (multiple, taps) = (geometry.groupOutputChannels, geometry.window.kernelCount)
    let inputs = geometry.inputChannels
    let planes = geometry.batch * channels
    // Planes of one task: enough work that handing it out does not count.
    let share = max(1, (1 << 15) / max(1, output * taps))
    return PlannedKernel(multiplyAccumulates: geometry.multiplyAccumulates) {
      (frame) throws(ModelError) in
      let (x, w) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let y = frame.output(0, as: Float.self)
      frame.pool.run(tasks: (planes + share - 1) / share) { task in
        for plane in task * share..<min(planes, (task + 1) * share) {
          let (n, m) = (plane / channels, plane % channels)
          patches.filter(
            x + (n * inputs + m / multiple) * input, by: w + m * taps, to: y + plane * output)
          epilogue.finish(
            frame, offset: plane * output, rows: 1, columns: output, pitch: output, channel: m)
        }
      }
    }
  }
}

/// A part of the columns of all images' patch matrices: a range of one image's, or all of several
/// images'.
struct PatchTile: Sendable {
  let firstImage: Int
  let images: Int
  let columns: Range<Int>
  var width: Int { images * columns.count }

  /// Tiles of about `target` columns over `batch` images of `positions` columns.
  static func tiles(batch: Int, positions: Int, target: Int) -> [PatchTile] {
    if positions >= target || batch == 1 {
      let parts = (positions + target - 1) / target
      let width = ((positions + parts - 1) / parts + 15) / 16 * 16
      return (0..<batch).flatMap { n in
        stride(from: 0, to: positions, by: width).map {
          PatchTile(firstImage: n, images: 1, columns: $0..<min(positions, $0 + width))
        }
      }
    }
    let together = target / positions
    return stride(from: 0, to: batch, by: together).map {
      PatchTile(firstImage: $0, images: min(together, batch - $0), columns: 0..<positions)
    }
  }
}

extension Convolution {
  /// Patches times weights, tile by tile.
  private static func products(
    _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue, _ request: KernelRequest
  ) -> PlannedKernel {
    let product = ConvolutionProduct(geometry, epilogue, request.matrices)
    let threads = request.threads
    // Few tiles: the threads share one tile's rows. Many: each thread has its own tile.
    let sharesTiles = product.tiles.count * geometry.groups < 4
    let buffer = product.patchCount + product.resultCount
    return PlannedKernel(
      scratchByteCount: alignedByteCount(buffer * 4) * (sharesTiles ? 1 : threads),
      multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let scratch = frame.scratch.assumingMemoryBound(to: Float.self)
      let tiles = product.tiles.count
      let tasks = tiles * geometry.groups
      if sharesTiles {
        for task in 0..<tasks {
          let (group, tile) = (task / tiles, product.tiles[task % tiles])
          frame.pool.run(tasks: product.channelBlocks.count) {
            product.fill(frame, group, tile, channels: product.channelBlocks[$0], to: scratch)
          }
          frame.pool.run(tasks: product.rowBlocks.count) {
            product.multiply(frame, group, tile, rows: product.rowBlocks[$0], scratch)
          }
        }
      } else {
        let pitch = alignedByteCount(buffer * 4) / 4
        frame.pool.run(tasks: tasks) { task, worker in
          let (group, tile) = (task / tiles, product.tiles[task % tiles])
          let own = scratch + worker * pitch
          product.fill(
            frame, group, tile, channels: 0..<geometry.groupInputChannels, to: own)
          product.multiply(frame, group, tile, rows: 0..<geometry.groupOutputChannels, own)
        }
      }
    }
  }
}

/// The matrix products that one convolution consists of.
private struct ConvolutionProduct: Sendable {
  let geometry: ConvolutionGeometry
  let tiles: [PatchTile]
  /// Elements of the greatest tile's patches and results.
  let patchCount: Int
  let resultCount: Int
  let channelBlocks: [Range<Int>]
  let rowBlocks: [Range<Int>]
  private let epilogue: FloatEpilogue
  private let matrices: any MatrixBackend
  /// Nil where the image is the matrix.
  private let patches: PatchMatrix?
  private let depth: Int
  private let positions: Int

  init(
    _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue, _ matrices: any MatrixBackend
  ) {
    self.geometry = geometry
    self.epilogue = epilogue
    self.matrices = matrices
    depth = geometry.groupInputChannels * geometry.window.kernelCount
    positions = geometry.window.outputCount
    // About a megabyte of patches, and never so few columns that packing the weights dominates.
    let target = max(512, (1 << 18) / depth / 16 * 16)
    tiles = PatchTile.tiles(batch: geometry.batch, positions: positions, target: target)
    let widest = tiles.map(\.width).max() ?? 0
    let isMatrix = geometry.window.isPointwise && !tiles.contains { $0.images > 1 }
    patches = isMatrix ? nil : PatchMatrix(geometry.window)
    patchCount = isMatrix ? 0 : (depth * widest + 15) / 16 * 16
    resultCount = tiles.contains { $0.images > 1 } ? geometry.groupOutputChannels * widest : 0
    channelBlocks = ConvolutionProduct.blocks(geometry.groupInputChannels, of: 16)
    rowBlocks = ConvolutionProduct.blocks(geometry.groupOutputChannels, of: 64)
  }

  private static func blocks(_ count: Int, of size: Int) -> [Range<Int>] {
    stride(from: 0, to: count, by: size).map { $0..<min(count, $0 + size) }
  }

  func fill(
    _ frame: KernelFrame, _ group: Int, _ tile: PatchTile, channels: Range<Int>,
    to matrix: UnsafeMutablePointer<Float>
  ) {
    guard let patches else { return }
    let plane = geometry.window.inputCount
    for image in 0..<tile.images {
      let first =
        ((tile.firstImage + image) * geometry.inputChannels + group * geometry.groupInputChannels)
        * plane
      patches.fill(
        frame.input(0, as: Float.self) + first, channels: channels, channelStride: plane,
        columns: tile.columns, to: matrix + image * tile.columns.count, pitch: tile.width)
    }
  }

  func multiply(
    _ frame: KernelFrame, _ group: Int, _ tile: PatchTile, rows: Range<Int>,
    _ scratch: UnsafeMutablePointer<Float>
  ) {
    let channel = group * geometry.groupOutputChannels + rows.lowerBound
    let w = frame.input(1, as: Float.self) + channel * depth
    let y = frame.output(0, as: Float.self)
    let start = (tile.firstImage * geometry.outputChannels + channel) * positions
    var b = UnsafePointer(scratch)
    var pitch = tile.width
    if patches == nil {
      let image =
        (tile.firstImage * geometry.inputChannels + group * geometry.groupInputChannels)
        * positions
      b = frame.input(0, as: Float.self) + image + tile.columns.lowerBound
      pitch = positions
    }
    let direct = tile.images == 1
    let results = scratch + patchCount + rows.lowerBound * tile.width
    matrices.multiply(
      m: rows.count, n: tile.width, k: depth, a: w, aStride: depth, transposeA: false, b: b,
      bStride: pitch, transposeB: false, c: direct ? y + start + tile.columns.lowerBound : results,
      cStride: direct ? positions : tile.width, accumulate: false)
    for image in 0..<tile.images {
      let target = start + image * geometry.outputChannels * positions + tile.columns.lowerBound
      if !direct {
        for row in 0..<rows.count {
          (y + target + row * positions).update(
            from: results + row * tile.width + image * positions, count: positions)
        }
      }
      epilogue.finish(
        frame, offset: target, rows: rows.count, columns: tile.columns.count, pitch: positions,
        channel: channel)
    }
  }
}
