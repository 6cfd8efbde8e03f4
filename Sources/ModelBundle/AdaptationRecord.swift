import ModelIR
import TensorCore

/// Which tensors of a bundle may adapt to an input, how they usually do, and within what limits (`B40`…`B42`).
package struct AdaptationRecord: Sendable, Hashable {
  package static let record = "adaptation"

  /// A constant of one graph: float32, or int8 whose scale and bias of each channel adapt in its place.
  package struct Target: Sendable, Hashable {
    package let part: String
    package let tensor: String

    package init(_ part: String, _ tensor: String) {
      self.part = part
      self.tensor = tensor
    }
  }

  package enum Mask: String, Sendable, CaseIterable {
    /// 1 where the mask is above one half, else 0.
    case hard
    /// The mask itself.
    case soft
  }

  /// A choice that has a name.
  package struct Preset: Sendable, Hashable {
    package let name: String
    package let mask: Mask
    package let tensors: [Target]

    package init(_ name: String, mask: Mask, tensors: [Target]) {
      self.name = name
      self.mask = mask
      self.tensors = tensors
    }
  }

  /// The graph that has the weights of another one in float32.
  package struct FloatForm: Sendable, Hashable {
    package let part: String
    package let float: String

    package init(_ part: String, float: String) {
      self.part = part
      self.float = float
    }
  }

  package var presets: [Preset]
  /// Every tensor that may be asked for.
  package var tensors: [Target]
  package var floatForms: [FloatForm]
  /// What is done where nothing else is asked for.
  package var preset: String
  package var steps: Int
  package var rate: Double
  package var factor: Double
  /// The most that may be asked for.
  package var greatestSteps: Int
  package var greatestRate: Double

  package init(
    presets: [Preset], tensors: [Target], floatForms: [FloatForm] = [], preset: String,
    steps: Int = 5, rate: Double = 1e-5, factor: Double = 1, greatestSteps: Int = 100,
    greatestRate: Double = 1e-2
  ) {
    self.presets = presets
    self.tensors = tensors
    self.floatForms = floatForms
    self.preset = preset
    self.steps = steps
    self.rate = rate
    self.factor = factor
    self.greatestSteps = greatestSteps
    self.greatestRate = greatestRate
  }
}

// MARK: - JSON

extension AdaptationRecord {
  package var json: JSON {
    func list(_ targets: [Target]) -> JSON {
      .array(targets.map { ["part": .string($0.part), "tensor": .string($0.tensor)] })
    }
    return [
      "defaults": [
        "factor": JSON(shortest: factor), "preset": .string(preset),
        "rate": JSON(shortest: rate),
        "steps": .integer(steps),
      ],
      "floats": .array(
        floatForms.map { ["float": .string($0.float), "part": .string($0.part)] }),
      "limits": ["rate": JSON(shortest: greatestRate), "steps": .integer(greatestSteps)],
      "presets": .array(
        presets.map {
          [
            "mask": .string($0.mask.rawValue), "name": .string($0.name),
            "tensors": list($0.tensors),
          ]
        }),
      "tensors": list(tensors),
    ]
  }

  package init(_ json: JSON) throws(ModelError) {
    func targets(_ json: JSON) throws(ModelError) -> [Target] {
      try json.array("B40: tensors").map { (json) throws(ModelError) in
        let entry = try json.members(["part", "tensor"], of: "B40: a tensor")
        return Target(
          try entry.member("part").string("B40: part"),
          try entry.member("tensor").string("B40: tensor"))
      }
    }
    let members = try json.members(
      ["defaults", "floats", "limits", "presets", "tensors"], of: "B40: adaptation")
    let defaults = try members.member("defaults").members(
      ["factor", "preset", "rate", "steps"], of: "B41: defaults")
    let limits = try members.member("limits").members(["rate", "steps"], of: "B41: limits")
    self.init(
      presets: try members.member("presets").array("B40: presets").map {
        (json) throws(ModelError) in
        let preset = try json.members(["mask", "name", "tensors"], of: "B40: a preset")
        guard let mask = Mask(rawValue: try preset.member("mask").string("B40: mask")) else {
          throw ModelError(.malformedInput, "B40: a mask is hard or soft")
        }
        return Preset(
          try preset.member("name").string("B40: name"), mask: mask,
          tensors: try targets(preset.member("tensors")))
      },
      tensors: try targets(members.member("tensors")),
      floatForms: try members.member("floats").array("B42: floats").map {
        (json) throws(ModelError) in
        let form = try json.members(["float", "part"], of: "B42: a float form")
        return FloatForm(
          try form.member("part").string("B42: part"),
          float: try form.member("float").string("B42: float"))
      },
      preset: try defaults.member("preset").string("B41: preset"),
      steps: try defaults.member("steps").count("B41: steps"),
      rate: try defaults.member("rate").positive("B41: rate"),
      factor: try defaults.member("factor").positive("B41: factor"),
      greatestSteps: try limits.member("steps").count("B41: steps"),
      greatestRate: try limits.member("rate").positive("B41: rate"))
  }

  /// Holds the record to the graphs that it is about.
  package func check(against graphs: [BundleContents.NamedGraph]) throws(ModelError) {
    func graph(_ name: String, _ clause: String) throws(ModelError) -> Graph {
      guard let found = graphs.first(where: { $0.name == name })?.graph else {
        throw ModelError(.malformedInput, "\(clause): there is no graph '\(name)'")
      }
      return found
    }
    for target in tensors {
      let constants = try graph(target.part, "B40").values.filter {
        $0.name == target.tensor && $0.fact.constant != nil
      }
      guard constants.count == 1, let type = constants.first?.type,
        type.element == .float32 || type.quantization?.axis != nil
      else {
        throw ModelError(
          .malformedInput,
          "B40: '\(target.tensor)' is not one constant of '\(target.part)' that can adapt")
      }
    }
    let allowed = Set(tensors)
    guard !presets.isEmpty, Set(presets.map(\.name)).count == presets.count,
      presets.allSatisfy({ !$0.tensors.isEmpty && allowed.isSuperset(of: $0.tensors) })
    else {
      throw ModelError(
        .malformedInput, "B40: presets have names of their own and some of the tensors")
    }
    guard presets.contains(where: { $0.name == preset }), steps >= 1, steps <= greatestSteps,
      greatestSteps <= 10_000, rate <= greatestRate
    else { throw ModelError(.malformedInput, "B41: defaults outside the limits") }
    for form in floatForms {
      let (own, float) = (try graph(form.part, "B42"), try graph(form.float, "B42"))
      guard own.inputs.map(\.name) == float.inputs.map(\.name),
        own.outputs.map(\.name) == float.outputs.map(\.name)
      else {
        throw ModelError(
          .malformedInput, "B42: '\(form.float)' has other ports than '\(form.part)'")
      }
    }
  }
}

extension JSON {
  /// Whole numbers have no point (`B8`).
  fileprivate init(shortest value: Double) {
    self = Int(exactly: value).map { .integer($0) } ?? .number(value)
  }

  /// A finite number above 0.
  fileprivate func positive(_ what: String) throws(ModelError) -> Double {
    let value: Double
    switch self {
    case .integer(let whole): value = Double(whole)
    case .number(let number): value = number
    default: throw ModelError(.malformedInput, "\(what) is not a number")
    }
    guard value.isFinite, value > 0 else {
      throw ModelError(.malformedInput, "\(what) is \(value)")
    }
    return value
  }
}
