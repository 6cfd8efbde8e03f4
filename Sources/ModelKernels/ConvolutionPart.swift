import CKernels

/// One convolution; several make up a grouped, batched or transposed one.
package struct ConvolutionPart: Sendable {
  package var window: KernelWindow
  /// First element of the part in the whole input, output and residual.
  package var inputOffset: Int
  package var outputOffset: Int
  package var residualOffset: Int
  /// Elements between neighbouring positions of the residual.
  package var residualStride: Triple
  /// Neighbouring positions along the width that one tap reads, and elements of each.
  package var tapPixels: Int
  package var tapChannels: Int
  /// Index into the epilogue's arrays of the part's first channel.
  package var firstChannel: Int
  /// Index of the weights in those given to the initialiser.
  package var weights: Int

  /// Elements that one tap reads.
  var tapElements: Int { tapPixels * tapChannels }

  /// Whether the part reads 3×3 neighbouring positions for each of neighbouring ones.
  var isSquareOfThree: Bool {
    tapPixels == 3 && window.taps.count == 3 && window.step == Triple(1, 1, 1)
      && zip(window.taps, window.taps.dropFirst()).allSatisfy {
        $1 == Triple($0.d, $0.h + 1, $0.w)
      }
  }

  /// Whether the part is a product of rows, the positions of one line, with the weights.
  var isMatrixProduct: Bool {
    let size = window.outputSize
    return tapPixels == 1 && window.taps == [Triple(0, 0, 0)] && window.step == Triple(1, 1, 1)
      && size == window.inputSize && size.d == 1 && size.h == 1
  }

  package init(
    window: KernelWindow, inputOffset: Int = 0, outputOffset: Int = 0, residualOffset: Int = 0,
    residualStride: Triple = Triple(0, 0, 0), tapPixels: Int = 1, tapChannels: Int,
    firstChannel: Int = 0, weights: Int = 0
  ) {
    self.window = window
    self.inputOffset = inputOffset
    self.outputOffset = outputOffset
    self.residualOffset = residualOffset
    self.residualStride = residualStride
    self.tapPixels = tapPixels
    self.tapChannels = tapChannels
    self.firstChannel = firstChannel
    self.weights = weights
  }
}

extension ConvolutionPart {
  /// A product of `rows` rows of `depth` elements with as many columns as there are channels: the rows are
  /// the positions of an image of one line.
  package init(rows: Int, depth: Int, channels: Int) {
    let window = KernelWindow(rows: rows, depth: depth, channels: channels)
    self.init(window: window, residualStride: window.outputStride, tapChannels: depth)
  }
}

extension ConvolutionPart {
  /// The sets of weights that the parts of one kernel read, packed one after the other.
  struct WeightSets: Sendable {
    /// Output channels, taps, and elements that a tap reads.
    let extents: [(channels: Int, taps: Int, run: Int)]
    /// Where each set starts.
    let offsets: [Int]
    let byteCount: Int
    /// All that the order of packed weights depends on besides the kernel.
    var order: [Int] { extents.flatMap { [$0.channels, $0.taps, $0.run] } }

    /// - Parameters:
    ///   - channels: output channels of each set.
    ///   - size: bytes that set `index` of these extents takes.
    init(
      _ parts: [ConvolutionPart], channels: [Int], size: (_ index: Int) -> ck_conv_packed_size_fn
    ) {
      let readers = Dictionary(
        parts.map { ($0.weights, $0) }, uniquingKeysWith: { first, _ in first })
      extents = channels.enumerated().map { index, count in
        (count, readers[index]?.window.taps.count ?? 0, readers[index]?.tapElements ?? 0)
      }
      var (offsets, bytes) = ([Int](), 0)
      for (index, set) in extents.enumerated() {
        offsets.append(bytes)
        bytes += alignedByteCount(size(index)(set.channels, set.taps, set.run))
      }
      self.offsets = offsets
      byteCount = bytes
    }
  }

  /// The calls of one kernel: what each part reads and writes, and its scratch.
  struct Schedule: Sendable {
    /// Multiply-accumulates that are worth a second task of a thread.
    private static let leastWork = 1 << 21

    let tasks: [RowTask]
    /// The first task of each part, and the end.
    private let starts: [Int]
    let taps: [KernelMemory]
    let workerByteCount: Int
    let multiplyAccumulates: Int

    /// - Parameters:
    ///   - channels: output channels of each set of weights.
    ///   - scratch: bytes that a call over a window of a set of weights needs.
    init(
      _ parts: [ConvolutionPart], channels: [Int], threads: Int,
      scratch: (_ weights: Int) -> ck_conv_scratch_size_fn
    ) {
      var tasks: [RowTask] = []
      var starts = [0]
      var taps: [KernelMemory] = []
      var (bytes, work) = (0, 0)
      for (index, part) in parts.enumerated() {
        let positions = part.window.outputSize.product
        let filters = channels[part.weights]
        let memory = part.window.tapMemory
        taps.append(memory)
        // Threads that have channels of their own read weights once between them, but each task copies all inputs.
        let weights = part.window.taps.count * part.tapElements * filters
        let inputs = part.window.inputSize.product * part.tapChannels
        let products = positions * weights
        let each = min(4, max(1, products * parts.count / (threads * Schedule.leastWork)))
        let pieces = threads == 1 ? 1 : each * threads
        tasks += RowTask.split(
          job: index, rows: positions, line: part.window.outputSize.w, channels: filters,
          pieces: max(1, pieces / parts.count), least: 48,
          isByChannel: weights > 32 * inputs)
        starts.append(tasks.count)
        var window = part.window.window(taps: memory)
        bytes = max(
          bytes, scratch(part.weights)(&window, part.tapPixels, part.tapChannels, filters))
        work += products
      }
      self.tasks = tasks
      self.starts = starts
      self.taps = taps
      workerByteCount = alignedByteCount(bytes)
      multiplyAccumulates = work
    }

    /// The tasks of these parts, or of all.
    func tasks(of parts: Range<Int>?) -> ArraySlice<RowTask> {
      parts.map { tasks[starts[$0.lowerBound]..<starts[$0.upperBound]] } ?? tasks[...]
    }
  }
}
