import ModelIR
import ModelKernels
import TensorCore

// MARK: - Kernel

extension TransposedConvolution: PlannedOperator {
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    request.isFloat32 ? try floatKernel(request) : nil
  }

  private func floatKernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let weight = try request.operands.required(1)
    let geometry = try ConvolutionGeometry(
      self, input: request.operands.required(0).shape, weight: weight.shape)
    guard geometry.multiplyAccumulates > 0 else { return nil }
    let epilogue = FloatEpilogue(epilogue, request, from: 2)
    if let direct = try PlannedKernel(direct: geometry, .channelsFirst, epilogue, request) {
      return direct
    }
    return TransposedConvolution.scattered(geometry, epilogue, request)
  }

  /// Products for every kernel element, added up where they overlap.
  private static func scattered(
    _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue, _ request: KernelRequest
  ) -> PlannedKernel {
    let window = geometry.window
    let patches = PatchMatrix(window)
    let (positions, result, taps) = (window.outputCount, window.inputCount, window.kernelCount)
    let (inputs, outputs) = (geometry.groupInputChannels, geometry.groupOutputChannels)
    let share = min(outputs, max(1, (1 << 19) / max(1, taps * positions)))
    let shares = (outputs + share - 1) / share
    let pitch = alignedByteCount(share * taps * positions * 4)
    let matrices = request.matrices
    let groups = geometry.groups
    return PlannedKernel(
      scratchByteCount: pitch * request.threads, multiplyAccumulates: geometry.multiplyAccumulates
    ) { (frame) throws(ModelError) in
      let (x, w) = (frame.input(0, as: Float.self), frame.input(1, as: Float.self))
      let y = frame.output(0, as: Float.self)
      frame.pool.run(tasks: geometry.batch * groups * shares) { task, worker in
        let scratch = (frame.scratch + worker * pitch).assumingMemoryBound(to: Float.self)
        let (n, group) = (task / shares / groups, task / shares % groups)
        let first = task % shares * share
        let count = min(share, outputs - first)
        let rows = count * taps
        matrices.multiply(
          m: rows, n: positions, k: inputs,
          a: w + (group * inputs * outputs + first) * taps, aStride: outputs * taps,
          transposeA: true, b: x + (n * groups + group) * inputs * positions, bStride: positions,
          transposeB: false, c: scratch, cStride: positions, accumulate: false)
        let target = y + ((n * groups + group) * outputs + first) * result
        target.update(repeating: 0, count: count * result)
        for m in 0..<count {
          patches.scatter(
            scratch + m * taps * positions, pitch: positions, to: target + m * result)
        }
      }
      finish(frame, geometry, epilogue)
    }
  }

  private static func finish(
    _ frame: KernelFrame, _ geometry: ConvolutionGeometry, _ epilogue: FloatEpilogue
  ) {
    guard !epilogue.isEmpty else { return }
    let (channels, plane) = (geometry.outputChannels, geometry.window.inputCount)
    let share = max(1, (1 << 14) / max(1, plane))
    let shares = (channels + share - 1) / share
    frame.pool.run(tasks: geometry.batch * shares) { task in
      let first = task % shares * share
      epilogue.finish(
        frame, offset: (task / shares * channels + first) * plane,
        rows: min(share, channels - first), columns: plane, pitch: plane, channel: first)
    }
  }
}
