import Foundation
import ModelIR
import ModelOperators
import ModelRuntime
import TensorCore
import Testing

@testable import ModelQuantization

private func graph() throws -> Graph {
  var graph = Graph()
  let x = try graph.addInput("x", TensorType(.float32, [.symbol("N"), .fixed(8)]))
  let w = graph.addConstant(
    Tensor(try Shape([4, 8]), (0..<32).map { (i: Int) -> Float in Float(i * 37 % 19) - 9 }),
    named: "w")
  try graph.addOutput(
    "y", try graph.appendOne(Linear(transposeWeight: true), named: "y", to: [x, w]))
  return graph
}

private func sample(_ number: Int) throws -> [Tensor] {
  let divisor = Float(number % 11 + 3)
  let values = (0..<16).map { (index: Int) -> Float in
    let step = (index * 7919 + number * 104_729) % 1009
    return Float(step) / divisor - 40
  }
  return [Tensor(try Shape([2, 8]), values)]
}

private func sketch(_ numbers: some Sequence<Int>) throws -> CalibrationSketch {
  var calibration = Calibration(try graph())
  for number in numbers { try calibration.observe(try sample(number)) }
  return calibration.sketch
}

private func json(_ sketch: CalibrationSketch) throws -> Data {
  let encoder = JSONEncoder()
  encoder.outputFormatting = .sortedKeys
  return try encoder.encode(sketch)
}

/// The int8 form after sketches, each of which went through a file.
private func quantized(
  _ sketches: [CalibrationSketch], _ method: CalibrationMethod
) throws -> (graph: Graph, record: QuantizationRecord) {
  var calibration = Calibration(try graph())
  for sketch in sketches {
    try calibration.merge(JSONDecoder().decode(CalibrationSketch.self, from: json(sketch)))
  }
  return try Quantizer(method: method).quantize(calibration)
}

@Test(arguments: CalibrationMethod.allCases)
func sketchesAddUpInAnyOrder(method: CalibrationMethod) throws {
  let (first, second, third) = (try sketch(0..<5), try sketch(5..<20), try sketch([20]))
  let whole = try quantized([sketch((0..<21).reversed())], method)
  for order in [[first, second, third], [third, first, second]] {
    let made = try quantized(order, method)
    #expect(made.record == whole.record)
    #expect(
      try ReferenceExecutor(made.graph).run(sample(30))
        == ReferenceExecutor(whole.graph).run(sample(30)))
  }
}

@Test func aCalibrationGoesOnFromItsSketch() throws {
  var resumed = Calibration(try graph())
  try resumed.merge(sketch(0..<5))
  for number in 5..<9 { try resumed.observe(try sample(number)) }
  #expect(try json(resumed.sketch) == json(sketch(0..<9)))
}

@Test func samplesSideBySideShowTheSame() throws {
  let samples = try (0..<13).map { try sample($0) }
  func sketch(_ threads: Int) throws -> Data {
    var calibration = Calibration(try graph(), watchesOperands: true, threads: threads)
    try calibration.observe(samples: Array(samples[..<9]))
    try calibration.observe(samples: Array(samples[9...]))
    return try json(calibration.sketch)
  }
  let alone = try sketch(1)
  for threads in [2, 5, 40] { #expect(try sketch(threads) == alone) }
}

@Test func sketchesForAdaptiveRoundingAddUp() throws {
  func sketch(_ numbers: Range<Int>) throws -> CalibrationSketch {
    var calibration = Calibration(try graph(), watchesOperands: true)
    for number in numbers { try calibration.observe(try sample(number)) }
    return calibration.sketch
  }
  func calibrated(_ sketches: [CalibrationSketch]) throws -> QuantizationRecord {
    var calibration = Calibration(try graph(), watchesOperands: true)
    for sketch in sketches {
      try calibration.merge(JSONDecoder().decode(CalibrationSketch.self, from: json(sketch)))
    }
    #expect(calibration.adaptiveRoundings["y"] != nil)
    return try Quantizer(rounding: .adaptive).quantize(calibration).record
  }
  let whole = try calibrated([sketch(0..<9)])
  #expect(try calibrated([sketch(4..<9), sketch(0..<4)]) == whole)
}

@Test func sketchesWithoutWhatAdaptiveRoundingNeedsAreRefused() throws {
  var calibration = Calibration(try graph(), watchesOperands: true)
  #expect(throws: ModelError.self) { try calibration.merge(try sketch(0..<2)) }
}

@Test(arguments: [
  (#""weights":8"#, #""weights":9"#), (#""blocks":[""#, #""blocks":["AAAAAAAAAAA="#),
  (#""blocks":[""#, #""blocks":["AA"#), (#""y":{"#, #""z":{"#),
])
func damagedMomentsAreRefused(part: String, other: String) throws {
  var calibration = Calibration(try graph(), watchesOperands: true)
  try calibration.observe(try sample(1))
  let text = try #require(String(bytes: json(calibration.sketch), encoding: .utf8))
  #expect(text.contains(part))
  var another = Calibration(try graph(), watchesOperands: true)
  #expect(throws: (any Error).self) {
    try another.merge(
      JSONDecoder().decode(
        CalibrationSketch.self, from: Data(text.replacing(part, with: other).utf8)))
  }
}

@Test func sketchesDoNotGrow() throws {
  var calibration = Calibration(try graph())
  for number in 0..<20 { try calibration.observe(try sample(number)) }
  let before = calibration.sketch
  for number in 20..<2000 { try calibration.observe(try sample(number % 20)) }
  let after = calibration.sketch
  #expect(after.samples == 2000)
  #expect(after.values.count == before.values.count)
  // A hundred times the counts is two digits more for each bin that is not empty.
  #expect(try json(after).count < json(before).count + 100_000)
  #expect(after.values.map(\.observer.extremes) == before.values.map(\.observer.extremes))
}

@Test func sketchesOfOtherModelsAreRefused() throws {
  var other = Graph()
  let x = try other.addInput("other", TensorType(.float32, [.fixed(2), .fixed(8)]))
  try other.addOutput("y", try other.appendOne(Relu(), named: "y", to: [x]))
  var calibration = Calibration(other)
  #expect(throws: ModelError.self) { try calibration.merge(try sketch(0..<2)) }
}
