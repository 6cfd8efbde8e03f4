import ModelIR
import ModelOperators
import TensorCore

/// How attributes of Maquette's operators are called and written in ONNX, where that differs.
///
/// ``ForeignForm`` imports everything again that it makes, so that an entry that is missing here can
/// lose an operator its ONNX form, but cannot change what a file means.
enum AttributeNames {
  /// ONNX's name of a field; nil where the field has no attribute of its own.
  static func name(of field: String, of kind: String) -> String? {
    let key = "\(kind).\(field)"
    if withoutAttribute.contains(key) { return nil }
    return own[key] ?? shared[field] ?? field
  }

  /// Fields that ONNX expresses by the number of outputs, or several of them by one attribute.
  private static let withoutAttribute: Set = [
    "Attention.outputs", "MaxPool.indices", "LayerNormalization.statistics",
    "GroupNormalization.scalesGroups", "Split.outputs", "SoftmaxCrossEntropyLoss.logarithms",
    "LinearAttention.gated", "LinearAttention.corrected", "MaxRoiPool.height", "MaxRoiPool.width",
    "Loop.states", "Scan.states",
  ]

  private static let own: [String: String] = [
    "GroupNormalization.groups": "num_groups",
    "BatchNormalization.training": "training_mode",
    "RotaryEmbedding.rotated": "rotary_embedding_dim",
    "RotaryEmbedding.heads": "num_heads",
    "GRU.resetsAfter": "linear_before_reset",
    "LSTM.couplesForget": "input_forget",
    "GridSample.padding": "padding_mode",
    "Resize.coordinates": "coordinate_transformation_mode",
    "Resize.nearest": "nearest_mode",
    "Resize.cubicCoefficient": "cubic_coeff_a",
    "Resize.excludesOutside": "exclude_outside",
    "Resize.extrapolation": "extrapolation_value",
    "Resize.aspect": "keep_aspect_ratio_policy",
    "Attention.causal": "is_causal",
    "Attention.queryHeads": "q_num_heads",
    "Attention.keyHeads": "kv_num_heads",
    "Attention.leftWindow": "left_window_size",
    "Attention.rightWindow": "right_window_size",
    "Attention.scores": "qk_matmul_output_mode",
    "DeformConv.offsetGroups": "offset_group",
    "NonMaxSuppression.centered": "center_point_box",
    "LinearAttention.queryHeads": "q_num_heads",
    "LinearAttention.keyHeads": "kv_num_heads",
    "RoiAlign.height": "output_height",
    "RoiAlign.width": "output_width",
    "RoiAlign.samples": "sampling_ratio",
    "RoiAlign.scale": "spatial_scale",
    "RoiAlign.greatest": "mode",
    "RoiAlign.halfPixel": "coordinate_transformation_mode",
    "MaxRoiPool.scale": "spatial_scale",
    "SequenceEmpty.element": "dtype",
    "If.then": "then_branch",
    "If.else": "else_branch",
    "Scan.scanned": "num_scan_inputs",
    "Scan.inputAxes": "scan_input_axes",
    "Scan.inputDirections": "scan_input_directions",
    "Scan.outputAxes": "scan_output_axes",
    "Scan.outputDirections": "scan_output_directions",
  ]

  /// Flags that are one of two texts in ONNX.
  private static let flagTexts: [String: (no: String, yes: String)] = [
    "RoiAlign.greatest": ("avg", "max"),
    "RoiAlign.halfPixel": ("output_half_pixel", "half_pixel"),
  ]

  private static let shared: [String: String] = [
    "groups": "group",
    "autoPad": "auto_pad",
    "kernel": "kernel_shape",
    "ceiling": "ceil_mode",
    "countsPadding": "count_include_pad",
    "columnMajor": "storage_order",
    "outputPadding": "output_padding",
    "outputShape": "output_shape",
    "transposeA": "transA",
    "transposeB": "transB",
    "alignCorners": "align_corners",
    "alphas": "activation_alpha",
    "betas": "activation_beta",
    "batchFirst": "layout",
    "ignored": "ignore_index",
  ]

  /// The value as ONNX writes it; nil where the attribute is left out.
  static func value(_ value: Attribute, of field: String, of kind: String) -> Attribute? {
    switch value {
    case .none, .graph: return nil
    case .boolean(let flag):
      let texts = flagTexts["\(kind).\(field)"]
      return texts.map { .string(flag ? $0.yes : $0.no) } ?? .integer(flag ? 1 : 0)
    case .integers(let list) where list.isEmpty: return nil
    case .floats(let list) where list.isEmpty: return nil
    case .strings(let list) where list.isEmpty: return nil
    case .string(let text):
      if kind == "Attention", let scores = Attention.Scores(rawValue: text) {
        return Attention.Scores.allCases.firstIndex(of: scores).map { .integer($0) }
      }
      if let element = ElementNumber(text) { return .integer(element.number) }
      if field == "autoPad" { return autoPads[text].map { .string($0) } }
      return .string(choices[text] ?? text)
    default: return value
    }
  }

  private static let autoPads = [
    "sameUpper": "SAME_UPPER", "sameLower": "SAME_LOWER", "valid": "VALID",
  ]

  private static let choices = [
    "halfPixel": "half_pixel", "halfPixelSymmetric": "half_pixel_symmetric",
    "pytorchHalfPixel": "pytorch_half_pixel", "alignCorners": "align_corners",
    "cropAndResize": "tf_crop_and_resize", "halfPixelForNearest": "tf_half_pixel_for_nn",
    "roundPreferFloor": "round_prefer_floor", "roundPreferCeil": "round_prefer_ceil",
    "notLarger": "not_larger", "notSmaller": "not_smaller",
  ]

  /// No text of ONNX's is the name of an element type, so a text that is one is an element type.
  private struct ElementNumber {
    let number: Int
    init?(_ text: String) {
      guard let element = ElementType(rawValue: text) else { return nil }
      number = Int(OnnxElement.number(element))
    }
  }
}
