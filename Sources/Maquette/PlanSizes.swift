import ModelBundle
import ModelFamilies
import ModelIR
import ModelQuantization
import TensorCore

/// How a size that is asked for becomes a plan of each part (`Q60`).
extension Conversion {
  /// Every part in int8, within the size that is asked for.
  ///
  /// - Parameter byteCount: of the bundle of these parts, without goldens.
  func quantized(
    _ observers: [PartObserver], _ family: FamilyModel?, _ samples: Gathered,
    byteCount: ([ModelPart]) throws(ModelError) -> Int
  ) throws(ModelError) -> [ModelPart] {
    func parts(
      _ request: Conversion, _ sizes: [PlanSize]? = nil
    ) throws(ModelError) -> [ModelPart] {
      var parts: [ModelPart] = []
      for (index, observer) in observers.enumerated() {
        parts.append(
          try observer.quantized(
            request, family, samples[observer.part.name], size: sizes?[index]))
      }
      return parts
    }
    guard let megabytes = plan.greatestMegabytes else { return try parts(self) }
    var plain = self
    plain.plan = PlanDemands()
    plain.wideShare = 0
    let base = try parts(plain)
    let tensors = try base.map { (part) throws(ModelError) in try part.storedByteCount() }
    let whole = max(tensors.reduce(0, +), 1)
    let limit = Int(megabytes * 1e6)
    var reserved = max(try byteCount(base) - whole, 0)
    while true {
      // What is beside the tensors hardly depends on the plan.
      let sizes = tensors.map { own in
        let share = Double(own) / Double(whole)
        return PlanSize(
          limit: Int(Double(limit) * share), reserved: Int(Double(reserved) * share))
      }
      let made = try parts(self, sizes)
      let excess = try byteCount(made) - limit
      guard excess > 0 else { return made }
      reserved += excess
    }
  }
}

extension ModelPart {
  /// What the part's tensors take of a bundle.
  fileprivate func storedByteCount() throws(ModelError) -> Int {
    var sum = 0
    for value in graph.values where value.producer == nil {
      if let constant = value.fact.constant {
        sum += try BundleWriter.storedByteCount(of: [constant])
      }
    }
    return sum
  }
}
