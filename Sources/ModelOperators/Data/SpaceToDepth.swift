import ModelIR
import TensorCore

/// N×C×H×W → N×C·b²×H/b×W/b: channel (i·b + j)·C + c, or with `mode` = CRD channel (c·b + i)·b + j,
/// holds row i and column j of each block. ONNX SpaceToDepth 1–28.
package struct SpaceToDepth: Operator {
  package static let name = "SpaceToDepth"
  package static let fields = [
    Field("blocksize", \SpaceToDepth.block), Field("mode", \SpaceToDepth.mode),
  ]

  package var block = 1
  package var mode = BlockOrder.depthFirst

  package init() {}
  package init(block: Int, mode: BlockOrder) {
    self.block = block
    self.mode = mode
  }
}

// MARK: - Types

extension SpaceToDepth {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    let dimensions = try x.dimensions()
    guard dimensions.count == 4 else {
      throw ModelError(.shapeMismatch, "SD1: SpaceToDepth of rank \(dimensions.count), not 4")
    }
    guard block > 0, block <= 1 << 16 else {
      throw ModelError(.invalidValue, "SD2: blocks of \(block)")
    }
    for dimension in dimensions[2...] where (dimension.value ?? 0) % block != 0 {
      throw ModelError(.shapeMismatch, "SD3: extent \(dimension) in blocks of \(block)")
    }
    return [
      x.type.with(dimensions: [
        dimensions[0], Flatten.product([dimensions[1], .fixed(block * block)]),
        Dimension.combine(dimensions[2], .fixed(block), /),
        Dimension.combine(dimensions[3], .fixed(block), /),
      ])
    ]
  }
}

// MARK: - Reference

extension SpaceToDepth: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    let (rows, columns) = (source.axes[2][0], source.axes[3][0])
    let inside: [StridedView.Factor] = [
      .init(extent: block, stride: rows.stride), .init(extent: block, stride: columns.stride),
    ]
    return [
      StridedView(
        offset: source.offset,
        axes: [
          source.axes[0],
          mode == .depthFirst ? inside + source.axes[1] : source.axes[1] + inside,
          [.init(extent: rows.extent / block, stride: rows.stride * block)],
          [.init(extent: columns.extent / block, stride: columns.stride * block)],
        ])
    ]
  }
}

// MARK: - Import

extension SpaceToDepth: ImportableOperator {
  package static let importers = [
    Importer("SpaceToDepth", 1...newestOpset) { node throws(ModelError) in
      SpaceToDepth(
        block: try node.required(attribute: "blocksize"),
        mode: try node.attribute("mode", default: BlockOrder.depthFirst))
    }
  ]
}

// MARK: - Gradient

extension SpaceToDepth: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().applying(DepthToSpace(block: block, mode: mode))]
  }
}
