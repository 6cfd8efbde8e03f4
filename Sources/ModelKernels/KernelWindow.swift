import CKernels

/// Three numbers, one for each spatial axis (depth, height, width). Images with fewer axes use 1 for the
/// extents of the first ones.
package struct Triple: Sendable, Hashable {
  package var d: Int
  package var h: Int
  package var w: Int

  package init(_ d: Int, _ h: Int, _ w: Int) {
    self.d = d
    self.h = h
    self.w = w
  }

  /// The last three of `leading` ones followed by `values`.
  package init(_ values: [Int], filling: Int = 1) {
    precondition(values.count <= 3, "\(values.count) spatial axes")
    let all = [Int](repeating: filling, count: 3 - values.count) + values
    self.init(all[0], all[1], all[2])
  }

  package var product: Int { d * h * w }

  var extents: (Int32, Int32, Int32) { (Int32(d), Int32(h), Int32(w)) }
  var strides: (Int, Int, Int) { (d, h, w) }
}

/// How the positions of an output image read an input image, channels-last: output position o reads the
/// input at `o · step + tap` for every tap; positions outside the image read the pad value.
package struct KernelWindow: Sendable, Hashable {
  package var inputSize: Triple
  package var outputSize: Triple
  package var step: Triple
  package var taps: [Triple]
  /// Elements between neighbours along each axis.
  package var inputStride: Triple
  package var outputStride: Triple

  package init(
    inputSize: Triple, outputSize: Triple, step: Triple, taps: [Triple], inputStride: Triple,
    outputStride: Triple
  ) {
    self.inputSize = inputSize
    self.outputSize = outputSize
    self.step = step
    self.taps = taps
    self.inputStride = inputStride
    self.outputStride = outputStride
  }

  /// The positions of an image of one line: `rows` rows of `depth` elements, of each of which come `channels`.
  package init(rows: Int, depth: Int, channels: Int) {
    let size = Triple(1, 1, rows)
    self.init(
      inputSize: size, outputSize: size, step: Triple(1, 1, 1), taps: [Triple(0, 0, 0)],
      inputStride: KernelWindow.denseStride(size, pitch: depth),
      outputStride: KernelWindow.denseStride(size, pitch: channels))
  }

  /// Strides of a dense image of `size` whose positions have `pitch` elements.
  package static func denseStride(_ size: Triple, pitch: Int) -> Triple {
    Triple(size.h * size.w * pitch, size.w * pitch, pitch)
  }

  /// The taps as kernels want them; `window` then points into it.
  var tapMemory: KernelMemory {
    KernelMemory(taps.map { ck_tap(d: Int32($0.d), h: Int32($0.h), w: Int32($0.w)) })
  }

  func window(taps memory: KernelMemory) -> ck_window {
    ck_window(
      in_size: inputSize.extents, out_size: outputSize.extents, step: step.extents,
      tap_count: Int32(taps.count), taps: memory.elements(of: ck_tap.self),
      in_stride: inputStride.strides, out_stride: outputStride.strides)
  }
}

/// A part of a kernel's output that one thread computes.
struct RowTask: Sendable {
  let job: Int
  let rows: Range<Int>
  let channels: Range<Int>

  /// Splits the outputs of one job so that about `pieces` tasks result, each of at least `least` rows
  /// where there are enough, of whole lines of `line` rows where there are enough, and of whole channel
  /// blocks. Neighbouring tasks are of the same rows, or of the same channels where `isByChannel`: then channels are
  /// split before rows, where that makes equal tasks.
  static func split(
    job: Int, rows: Int, line: Int = 1, channels: Int, pieces: Int, least: Int,
    isByChannel: Bool = false
  ) -> [RowTask] {
    guard rows > 0, channels > 0 else { return [] }
    let block = Int(CK_CHANNEL_BLOCK)
    let blocks = (channels + block - 1) / block
    let isByChannel = isByChannel && (blocks >= pieces || pieces % blocks == 0)
    let mostRowPieces = isByChannel ? max(1, pieces / blocks) : pieces
    // Rows in as many pieces as channels make up to all that are wanted, where they can; else tasks are of several sizes.
    let limit = max(1, min(mostRowPieces, rows / least))
    let even = (1...limit).last { pieces % $0 == 0 && pieces / $0 <= blocks }
    let rowPieces = even ?? limit
    let channelPieces = max(1, min(blocks, pieces / rowPieces))
    let unit = rows / line >= rowPieces ? line : 1
    let units = rows / unit
    var tasks: [RowTask] = []
    for index in 0..<rowPieces * channelPieces {
      let i = isByChannel ? index % rowPieces : index / channelPieces
      let j = isByChannel ? index / rowPieces : index % channelPieces
      let first = blocks * j / channelPieces * block
      let last = min(blocks * (j + 1) / channelPieces * block, channels)
      tasks.append(
        RowTask(
          job: job, rows: units * i / rowPieces * unit..<units * (i + 1) / rowPieces * unit,
          channels: first..<last))
    }
    return tasks
  }
}
