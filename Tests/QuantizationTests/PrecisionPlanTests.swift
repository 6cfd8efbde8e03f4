import ModelIR
import ModelQuantization
import TensorCore
import Testing

/// Plans of two convolutions whose weights int8 represents exactly (`Q60`, `Q67`).
@Suite struct PrecisionPlanTests {
  private let samples: [[Tensor]]

  init() throws { samples = [[try noise(10)], [try noise(11)]] }

  /// - Parameter isTimed: whether forms are timed.
  private func plan(
    _ targets: PlanTargets, isTimed: Bool = false, spare: Double = 0
  ) throws -> (quantizer: Quantizer, plan: PrecisionPlan, graph: Graph) {
    var calibration = Calibration(try twoLayers())
    for seed in 10..<14 { try calibration.observe([try noise(UInt64(seed))]) }
    let quantizer = Quantizer(rounding: .nearest)
    let study = try PlanStudy(quantizer, calibration, samples, isTimed: isTimed) {
      (tensors) throws(ModelError) in tensors.reduce(0) { $0 + $1.byteCount }
    }
    let (planned, plan) = try study.plan(quantizer, calibration, targets, spare: spare)
    return (planned, plan, try planned.quantize(calibration).graph)
  }

  private func ratio(_ decibels: Double) -> PlanTargets {
    var targets = PlanTargets()
    targets.qualities = [.signalToNoise(of: "y", output: 0, atLeast: decibels)]
    return targets
  }

  private func size(_ bytes: Int, reserved: Int = 0) -> PlanTargets {
    var targets = PlanTargets()
    targets.bytes = PlanSize(limit: bytes, reserved: reserved)
    return targets
  }

  @Test func noPlanKeepsADistanceThatIsNoNumber() throws {
    var targets = PlanTargets()
    targets.qualities = [.decibels("SQNR of y", output: 0, atLeast: 10) { _, _ in .nan }]
    let error = #expect(throws: ModelError.self) { try plan(targets) }
    #expect(error?.code == .outOfReach)
  }

  @Test func nothingIsSpentWhereEightBitsReachTheRatio() throws {
    let made = try plan(ratio(10))
    #expect(made.plan.count(.int8) == 2)
    #expect(made.quantizer.wide.isEmpty && made.quantizer.keptFloat.isEmpty)
    #expect(made.plan.layers.map(\.name) == ["a", "b"])
    for layer in made.plan.layers {
      #expect(layer.choices.map(\.form) == [.int8, .wide, .float32])
      let noises = layer.choices.map(\.noise)
      #expect(noises == noises.sorted(by: >) && noises[2] == 0)
      // 5184 products of each of 8 images, of 144 elements; a float takes eight times an integer's.
      #expect(layer.choices.map(\.products) == [41472, 2 * 41472 + 460_800, 8 * 41472 + 460_800])
      #expect(layer.choices.allSatisfy { $0.milliseconds == nil })
    }
    #expect(made.plan.layers[0].choices.map(\.bytes) == [176, 176, 608])
  }

  @Test func aRatioIsReachedByTheLeastThatReachesIt() throws {
    let plain = try plan(ratio(10)).plan.figures[0].achieved
    let one = try plan(ratio(plain + 2))
    #expect(one.plan.count(.wide) == 1 && one.plan.count(.float32) == 0)
    for more in [2.0, 10, 30] {
      let figure = try plan(ratio(plain + more)).plan.figures[0]
      #expect(figure.achieved >= plain + more && figure.isMet)
      #expect(abs(figure.predicted - figure.achieved) < 3, "noises of layers add up")
    }
  }

  @Test func sixteenBitsThatAreNotEnoughGiveWayToFloats() throws {
    let made = try plan(ratio(150))
    #expect(made.plan.count(.float32) == 2)
    #expect(made.quantizer.keptFloat == ["a", "b"])
    #expect(
      made.quantizer.keptFloatReasons["a"]?.text.hasPrefix("kept in float by the plan") == true)
  }

  @Test func plansAreTheSameForTheSameSamples() throws {
    for targets in [ratio(45), size(500)] {
      #expect(try plan(targets, spare: 100).plan == plan(targets, spare: 100).plan)
    }
  }

  @Test func peaksAreJudgedByTheRangeOfTheOutput() throws {
    var targets = PlanTargets()
    targets.qualities = [.peakRatio(of: "y", output: 0, range: nil, atLeast: 55)]
    let own = try plan(targets).plan.figures[0]
    #expect(own.name == "PSNR of y" && own.achieved >= 55)
    targets.qualities = [.peakRatio(of: "y", output: 0, range: 1e6, atLeast: 55)]
    #expect(try plan(targets).plan.count(.int8) == 2)
  }

  @Test func aDistanceOfAnyKindIsBroughtBelowItsLimit() throws {
    var targets = PlanTargets()
    let mean = QualityTarget(
      name: "mean error of y", unit: "", isLeast: false, output: 0, exponent: 0.5, limit: 2e-4,
      distance: { (made, expected) throws(ModelError) in
        let errors = zip(made.floats(), expected.floats()).map { abs(Double($0 - $1)) }
        return errors.reduce(0, +) / Double(errors.count)
      }, figure: { $0 })
    targets.qualities = [mean]
    let made = try plan(targets)
    #expect(made.plan.figures[0].achieved <= 2e-4)
    #expect(made.plan.count(.int8) < 2)
  }

  @Test func aSizeIsUsedButNotExceeded() throws {
    // Each layer takes 160 or 176 bytes, and float weights 432 more; the other layer has no bias.
    #expect(try plan(size(400), spare: 100).plan.count(.float32) == 0)
    let one = try plan(size(800), spare: 100).plan
    #expect(one.count(.float32) == 1)
    #expect(one.figures.map(\.name) == ["size"])
    #expect(one.figures[0].achieved <= 800e-6)
    #expect(one.figures[0].achieved == one.figures[0].predicted)
    #expect(try plan(size(800, reserved: 400), spare: 100).plan.count(.float32) == 0)
    #expect(try plan(size(800)).plan.count(.int8) == 2, "time is not spent unasked")
  }

  @Test func timesAreMeasuredWhereTheyAreDemanded() throws {
    var targets = PlanTargets()
    targets.milliseconds = 1e5
    let made = try plan(targets, isTimed: true)
    #expect(made.plan.count(.float32) == 2, "nothing speaks against floats")
    #expect(made.plan.layers.allSatisfy { $0.choices.allSatisfy { $0.milliseconds != nil } })
    #expect(made.plan.figures.map(\.name) == ["time"])
    #expect(made.plan.figures[0].achieved > 0)
  }

  @Test func whatIsOutOfReachIsRefusedWithTheNearest() throws {
    var hurried = PlanTargets()
    hurried.milliseconds = 1e-9
    var small = ratio(150)
    small.bytes = PlanSize(limit: 400, reserved: 0)
    for (targets, text) in [
      (size(100), "size of at most 0.0001 MB is out of reach; the nearest is 0.0003"),
      (hurried, "time of at most 1e-09 ms is out of reach; the nearest is "),
      (small, "SQNR of y of at least 150 dB is out of reach within 0.0004 MB; the nearest is "),
    ] {
      let error = #expect(throws: ModelError.self) {
        try plan(targets, isTimed: targets.milliseconds != nil)
      }
      #expect(error?.code == .outOfReach)
      #expect(error?.message.hasPrefix(text) == true, "\(error?.message ?? "")")
    }
  }

  @Test func aPlanNeedsSamples() throws {
    var calibration = Calibration(try twoLayers())
    try calibration.observe([try noise(10)])
    let error = #expect(throws: ModelError.self) {
      try PlanStudy(Quantizer(), calibration, []) { (_) throws(ModelError) in 0 }
    }
    #expect(error?.code == .missingInput)
  }
}
