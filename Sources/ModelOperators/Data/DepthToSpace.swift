import ModelIR
import TensorCore

/// N×C×H×W → N×C/b²×H·b×W·b: the element of column j and row i of a block comes from channel
/// (i·b + j)·C/b² + c, or with `mode` = CRD from channel (c·b + i)·b + j. ONNX DepthToSpace 1–28.
package struct DepthToSpace: Operator {
  package static let name = "DepthToSpace"
  package static let fields = [
    Field("blocksize", \DepthToSpace.block), Field("mode", \DepthToSpace.mode),
  ]

  package var block = 1
  package var mode = BlockOrder.depthFirst

  package init() {}
  package init(block: Int, mode: BlockOrder) {
    self.block = block
    self.mode = mode
  }
}

/// Where the position inside a block stands among the channels.
package enum BlockOrder: String, StringAttribute {
  /// Position first, then channel.
  case depthFirst = "DCR"
  /// Channel first, then position.
  case columnFirst = "CRD"
}

// MARK: - Types

extension DepthToSpace {
  package func infer(_ inputs: Operands<Fact>) throws(ModelError) -> [TensorType] {
    try inputs.expect(1...1)
    let x = try inputs.required(0)
    let dimensions = try x.dimensions()
    guard dimensions.count == 4 else {
      throw ModelError(.shapeMismatch, "DS1: DepthToSpace of rank \(dimensions.count), not 4")
    }
    guard block > 0, block <= 1 << 16 else {
      throw ModelError(.invalidValue, "DS2: blocks of \(block)")
    }
    guard (dimensions[1].value ?? 0) % (block * block) == 0 else {
      throw ModelError(.shapeMismatch, "DS3: \(dimensions[1]) channels in blocks of \(block)")
    }
    return [
      x.type.with(dimensions: [
        dimensions[0], Dimension.combine(dimensions[1], .fixed(block * block), /),
        Flatten.product([dimensions[2], .fixed(block)]),
        Flatten.product([dimensions[3], .fixed(block)]),
      ])
    ]
  }
}

// MARK: - Reference

extension DepthToSpace: ViewOperator {
  package func views(
    of source: StridedView, _ operands: Operands<Fact>
  ) throws(ModelError) -> [StridedView] {
    let channel = source.axes[1][0]
    let depth = channel.extent / (block * block)
    let (row, column, own) =
      mode == .depthFirst ? (block * depth, depth, 1) : (block, 1, block * block)
    return [
      StridedView(
        offset: source.offset,
        axes: [
          source.axes[0],
          [.init(extent: depth, stride: own * channel.stride)],
          source.axes[2] + [.init(extent: block, stride: row * channel.stride)],
          source.axes[3] + [.init(extent: block, stride: column * channel.stride)],
        ])
    ]
  }
}

// MARK: - Import

extension DepthToSpace: ImportableOperator {
  package static let importers = [
    Importer("DepthToSpace", 1...newestOpset) { node throws(ModelError) in
      DepthToSpace(
        block: try node.required(attribute: "blocksize"),
        mode: try node.attribute("mode", default: BlockOrder.depthFirst))
    }
  ]
}

// MARK: - Gradient

extension DepthToSpace: DifferentiableOperator {
  package func gradients(at site: GradientSite) throws(ModelError) -> [Term?] {
    [try site.gradient().applying(SpaceToDepth(block: block, mode: mode))]
  }
}
