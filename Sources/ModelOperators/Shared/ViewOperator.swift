import ModelIR
import TensorCore

/// A moving operator whose outputs are strided views of operand 0.
package protocol ViewOperator: MovingOperator, PlannedOperator {
  /// What each output shows of `source`, which is operand 0.
  func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView]
}

extension ViewOperator {
  package func reference(_ inputs: Operands<Tensor>) throws(ModelError) -> [Tensor] {
    let x = try inputs.required(0)
    var outputs: [Tensor] = []
    for view in try views(of: StridedView(x.shape), inputs.facts) {
      outputs.append(x.gathering(try Shape(view.extents), from: view.indices()))
    }
    return outputs
  }
}

extension ViewOperator {
  /// Copies every view, in the layout in which operand 0 arrives or whichever reads it in shorter strides, or needs
  /// no copy.
  package func kernel(_ request: KernelRequest) throws(ModelError) -> PlannedKernel? {
    let x = try request.operands.required(0)
    let size = x.fact.element.byteCount
    let views: [StridedView]
    do {
      views = try self.views(
        of: StridedView(x.shape, strides: x.layout.strides(of: x.shape)),
        request.operands.map { $0.fact })
    } catch  where error.code == .unknownShape {
      return nil
    }
    if views.count == 1 {
      for layout in [x.layout, .rowMajor, .channelsLast]
      where layout == .rowMajor || (views[0].axes.count >= 3 && x.fact.constant == nil) {
        let copy = try StridedCopy(views[0], layout: layout, size: size, tier: request.tier)
        guard copy.isIdentity, try Shape(views[0].extents).count == x.shape.count else { continue }
        var kernel = PlannedKernel.alias(of: 0, layout: x.layout)
        kernel.outputLayouts = [layout]
        return kernel
      }
    }
    var layouts: [Layout] = []
    var copies: [StridedCopy] = []
    for view in views {
      func copy(_ layout: Layout) throws(ModelError) -> StridedCopy {
        try StridedCopy(view, layout: layout, size: size, tier: request.tier)
      }
      let plain = try copy(.rowMajor)
      let same = view.axes.count < 3 ? plain : try copy(x.layout)
      let isPlain = view.axes.count < 3 || plain.reach < same.reach
      layouts.append(isPlain ? .rowMajor : x.layout)
      copies.append(isPlain ? plain : same)
    }
    return PlannedKernel(operandLayouts: [x.layout], outputLayouts: layouts) {
      [copies] (frame) throws(ModelError) in
      guard let source = frame.inputs[0] else { return }
      for (copy, target) in zip(copies, frame.outputs) {
        copy.run(from: source, to: target, on: frame.pool)
      }
    }
  }
}

extension Operands<Tensor> {
  /// The tensors as constants.
  var facts: Operands<Fact> { Operands<Fact>(values.map { $0.map { Fact($0) } }) }
}

extension Fact {
  /// The elements of a tensor of integers of rank 0 or 1.
  ///
  /// - Throws: `unknown-shape` where one is not known yet.
  func integers() throws(ModelError) -> [Int] {
    if let constant { return constant.integers().map { Int($0) } }
    guard let extents else { throw ModelError(.unknownShape, "the content is not known") }
    var values: [Int] = []
    for extent in extents {
      guard let value = extent.value else {
        throw ModelError(.unknownShape, "the content is not known")
      }
      values.append(value)
    }
    return values
  }

  /// Requires an operand that holds indices, axes or extents.
  func expectIndices(_ clause: String, _ what: String) throws(ModelError) {
    guard element == .int64 || element == .int32 else {
      throw ModelError(.typeMismatch, "\(clause): \(what) of \(element), not int32 or int64")
    }
  }
}

/// Axes counted from the front, sorted.
///
/// - Throws: `invalid-value` for one outside the rank or named twice.
func resolve(axes: [Int], rank: Int, _ clause: String) throws(ModelError) -> [Int] {
  var resolved: [Int] = []
  for axis in axes {
    let index = axis < 0 ? axis + rank : axis
    guard index >= 0, index < rank, !resolved.contains(index) else {
      throw ModelError(.invalidValue, "\(clause): axes \(axes) of rank \(rank)")
    }
    resolved.append(index)
  }
  return resolved.sorted()
}
