import ModelIR
import ModelKernels
import TensorCore

/// An operator with a kernel that is specialised to shapes when a plan is made. An operator without one
/// runs its reference.
package protocol PlannedOperator: Operator {
  /// A kernel for these operands and outputs, with weights packed and tables made, or nil where the
  /// reference must do.
  ///
  /// Operands and outputs have concrete shapes. Quantized operands and outputs are asked for only where
  /// ``IntegerOperator/checkInteger(_:_:)`` accepted them, and the answer then equals
  /// ``IntegerOperator/integerReference(_:_:)`` to the last bit.
  func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel?

  /// True for operators whose integer kernels want images channels-last, so that whoever makes their
  /// operand may as well write it so.
  static var prefersChannelsLast: Bool { get }
}

extension PlannedOperator {
  package static var prefersChannelsLast: Bool { false }
}

/// How the elements of an image-like tensor (N, C, spatial…) lie in memory.
package enum Layout: Sendable, Hashable {
  case rowMajor
  /// N, spatial…, C: channels innermost. Only for ranks of 3 and more.
  case channelsLast
}

/// What a kernel is asked to do.
package struct KernelRequest: Sendable {
  /// An operand: its fact, and the layout in which it would arrive without a conversion.
  package struct Operand: Sendable {
    package let fact: Fact
    package let layout: Layout
    /// Concrete, always.
    package let shape: Shape
    package init(fact: Fact, shape: Shape, layout: Layout) {
      self.fact = fact
      self.shape = shape
      self.layout = layout
    }
  }
  package let operands: Operands<Operand>
  package let outputs: [TensorType]
  /// Integers that are stored of a float32 output 0 of a layer with weights, by `Q7`.
  package struct Stored: Sendable {
    package let parameters: QuantizationParameters
    /// As output 1, beside the floats; else in their place.
    package let keepsReal: Bool

    package init(_ parameters: QuantizationParameters, keepsReal: Bool) {
      self.parameters = parameters
      self.keepsReal = keepsReal
    }
  }
  package let stored: Stored?
  /// What most readers of output 0 would like; a kernel that can write either should follow it.
  package let preferredLayout: Layout
  package let tier: KernelTier
  package let matrices: any MatrixBackend
  /// Floats must have the bits of formats/quantization.md (`Q28` and later): the exact profile.
  package let isExact: Bool
  package let threads: Int

  package init(
    operands: Operands<Operand>, outputs: [TensorType], stored: Stored? = nil,
    preferredLayout: Layout = .rowMajor,
    tier: KernelTier, matrices: any MatrixBackend, isExact: Bool, threads: Int
  ) {
    self.operands = operands
    self.outputs = outputs
    self.stored = stored
    self.preferredLayout = preferredLayout
    self.tier = tier
    self.matrices = matrices
    self.isExact = isExact
    self.threads = threads
  }
}

/// Float32 matrix products: OpenBLAS in the float profile, the fixed-order kernel in the exact one.
package protocol MatrixBackend: Sendable {
  /// C = A·B, or C += A·B where `accumulate`; A is m×k, B is k×n, C is m×n, row-major with the given
  /// row strides. `transposeA`: A is stored k×m. `transposeB`: B is stored n×k.
  func multiply(
    m: Int, n: Int, k: Int,
    a: UnsafePointer<Float>, aStride: Int, transposeA: Bool,
    b: UnsafePointer<Float>, bStride: Int, transposeB: Bool,
    c: UnsafeMutablePointer<Float>, cStride: Int, accumulate: Bool)
}

/// A kernel that is ready to run, and what it needs around it.
package struct PlannedKernel: Sendable {
  /// The layout that each operand must have; the planner converts where it differs.
  package var operandLayouts: [Layout]
  package var outputLayouts: [Layout]
  package var scratchByteCount: Int
  /// Output 0 is the bytes of this operand: nothing runs.
  package var aliasedOperand: Int?
  /// Output 0 may take the place of one of these operands, element for element.
  package var overwritableOperands: [Int]
  /// Multiply-accumulates of one run; 0 for kernels that only move or map.
  package var multiplyAccumulates: Int
  /// What is packed before the first run.
  package var packed: [PackedWeights]
  /// Constant operands that are part of ``packed`` and are not read by ``run``.
  package var packedOperands: [Int]
  /// The layer that this kernel is, if it may run with another of the same weights.
  var integerLayer: IntegerLayerKernel?
  package let run: @Sendable (KernelFrame) throws(ModelError) -> Void

  /// A kernel whose operands and outputs are all row-major unless said otherwise.
  package init(
    operandLayouts: [Layout] = [], outputLayouts: [Layout] = [], scratchByteCount: Int = 0,
    overwritableOperands: [Int] = [], multiplyAccumulates: Int = 0, packed: [PackedWeights] = [],
    packedOperands: [Int] = [],
    run: @escaping @Sendable (KernelFrame) throws(ModelError) -> Void
  ) {
    self.operandLayouts = operandLayouts
    self.outputLayouts = outputLayouts
    self.scratchByteCount = scratchByteCount
    self.overwritableOperands = overwritableOperands
    self.multiplyAccumulates = multiplyAccumulates
    self.packed = packed
    self.packedOperands = packedOperands
    aliasedOperand = nil
    self.run = run
  }

  /// Output 0 is operand `index` under another shape.
  package static func alias(of index: Int, layout: Layout = .rowMajor) -> PlannedKernel {
    var kernel = PlannedKernel(
      operandLayouts: [Layout](repeating: layout, count: index + 1), outputLayouts: [layout],
      run: { _ throws(ModelError) in })
    kernel.aliasedOperand = index
    return kernel
  }
}

/// The memory of one run of one kernel. Every buffer is 64-byte aligned and may be read, but not
/// written, up to 64 bytes past its end.
package struct KernelFrame {
  package let inputs: [UnsafeRawPointer?]
  package let outputs: [UnsafeMutableRawPointer]
  package let scratch: UnsafeMutableRawPointer
  package let pool: ThreadPool

  package init(
    inputs: [UnsafeRawPointer?], outputs: [UnsafeMutableRawPointer],
    scratch: UnsafeMutableRawPointer, pool: ThreadPool
  ) {
    self.inputs = inputs
    self.outputs = outputs
    self.scratch = scratch
    self.pool = pool
  }

  /// Operand `index` as `E`s. The operand is present whenever the plan asked for it.
  package func input<E>(_ index: Int, as _: E.Type) -> UnsafePointer<E> {
    guard let pointer = inputs[index] else { preconditionFailure("operand \(index) is absent") }
    return pointer.assumingMemoryBound(to: E.self)
  }

  package func output<E>(_ index: Int, as _: E.Type) -> UnsafeMutablePointer<E> {
    outputs[index].assumingMemoryBound(to: E.self)
  }
}
