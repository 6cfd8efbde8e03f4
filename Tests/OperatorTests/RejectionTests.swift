import ModelIR
import ModelOperators
import TensorCore
import Testing

/// What operators refuse, by clause of `formats/operators.md`.
@Suite struct RejectionTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let clause: String
    let op: any Operator
    let operands: [Fact?]
    init(_ clause: String, _ op: any Operator, _ operands: Fact?...) {
      self.clause = clause
      self.op = op
      self.operands = operands
    }
    var testDescription: String { clause }
  }

  static let flags = Fact(Tensor(vector: [true, false]))
  static let words = Fact(integers(1, 2))
  static let number = Fact(Tensor(scalar: Float(1)))
  static let index = Fact(Tensor(scalar: Int64(0)))
  static let vector = Fact(counting(2))
  static let matrix = Fact(counting(2, 3))
  static let image = Fact(counting(1, 4, 2, 6))

  static let cases = maps + reductions + moves + indices + others

  static let maps: [Case] = [
    Case("EW1", Sigmoid(), words), Case("EW1", Abs(), flags), Case("EW1", IsNaN(), words),
    Case("BR1", Add(), vector, words), Case("BR1", Add(), flags, flags),
    Case("BR1", And(), words, words), Case("BR1", BitwiseOr(), vector, vector),
    Case("BR1", Less(), flags, flags), Case("BR1", Max(), vector, words),
    Case("BR1", Sum(), words, words), Case("BR2", Mul(), vector, Fact(counting(3))),
    Case("BR2", Max(), vector, vector, Fact(counting(3))), Case("BR2", Expand(), vector, words2),
    Case("PW1", Pow(), flags, words), Case("NT1", Not(), words), Case("BW1", BitwiseNot(), vector),
    Case("PR1", PRelu(), vector, words), Case("PR2", PRelu(), vector, matrix),
    Case("CL1", Clip(), flags), Case("CL2", Clip(), vector, index),
    Case("CL3", Clip(), vector, nil, vector), Case("WH1", Where(), words, vector, vector),
    Case("WH2", Where(), flags, vector, words),
  ]

  static let reductions: [Case] = [
    Case("RD1", ReduceSum(), flags),
    Case("RD2", ReduceMax(), vector, vector), Case("RD3", ReduceMean(), vector, words),
    Case("AG1", ArgMax(), flags), Case("AG2", ArgMin(), number),
    Case("AG2", ArgMax(), Fact(counting(0))), Case("CU1", CumSum(), flags, index),
    Case("CU2", CumSum(), vector, number), Case("CU3", CumProd(), number, index),
    Case("TK1", TopK(), flags, index), Case("TK2", TopK(), vector, number),
    Case("TK3", TopK(), number, index), Case("TK4", TopK(), vector, Fact(integers(3))),
    Case("DT1", Det(), words), Case("DT2", Det(), vector), Case("DT2", Det(), matrix),
  ]

  static let moves: [Case] = [
    Case("CC1", Concat()), Case("CC2", Concat(), vector, words), Case("CC3", Concat(), number),
    Case("CC4", Concat(), vector, matrix), Case("CC4", Concat(), matrix, Fact(counting(2, 4))),
    Case("SQ1", Squeeze(), vector, number), Case("SQ2", Squeeze(), vector, words),
    Case("SQ3", Squeeze(), vector, index), Case("UQ1", Unsqueeze(), vector, number),
    Case("UQ2", Unsqueeze(), vector, Fact(integers(7))), Case("FL1", Flatten(axis: 3), matrix),
    Case("TP1", Transpose([0, 0]), matrix), Case("TP1", Transpose([0]), matrix),
  ]

  static let indices: [Case] = [
    Case("GA1", Gather(), vector, number), Case("GA2", Gather(), number, index),
    Case("GE1", GatherElements(), vector, vector), Case("GE2", GatherElements(), matrix, words),
    Case("GE2", GatherElements(), number, index), Case("GD1", GatherND(), vector, vector),
    Case("GD2", GatherND(batchAxes: 1), vector, words), Case("GD3", GatherND(), vector, words),
    Case("SE1", ScatterElements(), vector, vector, vector),
    Case("SE2", ScatterElements(), vector, words, words),
    Case("SE3", ScatterElements(), vector, words, Fact(counting(1))),
    Case("SE4", ScatterElements(), matrix, words, vector),
    Case("SN1", ScatterND(), vector, vector, vector),
    Case("SN2", ScatterND(), vector, words, words), Case("SN3", ScatterND(), vector, words, number),
    Case("SN4", ScatterND(), vector, Fact(integers(1)), vector),
    Case("TS1", TensorScatter(), matrix, words), Case("TS2", TensorScatter(), image, image, vector),
    Case("TS3", TensorScatter(axis: 0, mode: .linear), matrix, matrix),
    Case("TS4", TensorScatter(axis: 1, mode: .linear), matrix, Fact(counting(2, 4))),
    Case("SL1", Slice(), vector, vector, words), Case("SL2", Slice(), vector, words, words),
    Case("SL2", Slice(), matrix, words, index),
    Case("SL3", Slice(), vector, zero, words1, zero, zero),
    Case("SL4", Slice(), vector, words1, words1, words1),
    Case("SP1", Split(axis: 0, outputs: 0), vector), Case("SP2", Split(), vector, vector),
    Case("SP3", Split(), vector, words), Case("SP4", Split(axis: 0, outputs: 2), vector, words),
    Case("SP4", Split(axis: 0, outputs: 2), vector, Fact(integers(-1, 3))),
    Case("SP5", Split(axis: 0, outputs: 5), vector), Case("SP6", Split(), number),
  ]

  static let others: [Case] = [
    Case("EX1", Expand(), vector, vector), Case("EX2", Expand(), vector, Fact(integers(-2))),
    Case("TI1", Tile(), vector, vector), Case("TI2", Tile(), vector, words),
    Case("TI3", Tile(), vector, Fact(integers(-1))), Case("BC1", BitCast(to: .int8), vector),
    Case("BC1", BitCast(to: .uint16), flags), Case("CS1", ConstantOfShape(), vector),
    Case("CS2", ConstantOfShape(value: counting(2)), words),
    Case("CS3", ConstantOfShape(), Fact(integers(-1))), Case("EY1", EyeLike(), vector),
    Case("RG1", NumericRange(), index, index, number),
    Case("RG2", NumericRange(), words, words, words),
    Case("RG3", NumericRange(), number, number, Fact(Tensor(scalar: Float(0)))),
    Case("TL1", Trilu(), vector), Case("TL2", Trilu(), matrix, number),
    Case("DS1", DepthToSpace(block: 2, mode: .depthFirst), matrix),
    Case("DS2", DepthToSpace(block: 0, mode: .depthFirst), image),
    Case("DS3", DepthToSpace(block: 3, mode: .depthFirst), image),
    Case("SD1", SpaceToDepth(block: 2, mode: .depthFirst), matrix),
    Case("SD2", SpaceToDepth(block: -1, mode: .depthFirst), image),
    Case("SD3", SpaceToDepth(block: 3, mode: .depthFirst), image),
    Case("PD1", Pad(), vector, vector), Case("PD2", Pad(), vector, words1),
    Case("PD3", Pad(), vector, words, nil, words1), Case("PD4", Pad(), vector, words, index),
    Case("PD5", Pad(), vector, Fact(integers(-2, -2))),
    Case("PD5", Pad(.edge), Fact(counting(0)), words),
    Case("CP1", CenterCropPad(), vector, number),
    Case("CP2", CenterCropPad(axes: [1]), vector, index),
    Case("CP3", CenterCropPad(), vector, words),
    Case("CP3", CenterCropPad(), vector, Fact(integers(-1))),
    Case("RV1", ReverseSequence(batchAxis: 0, timeAxis: 0), matrix, words),
    Case("RV2", ReverseSequence(), vector, words), Case("RV3", ReverseSequence(), matrix, vector),
    Case("OH1", OneHot(), flags, index, vector), Case("OH2", OneHot(), words, index, number),
    Case("OH3", OneHot(), words, index, vector), Case("CM1", Compress(), vector, words),
    Case("CM2", Compress(axis: 0), number, flags),
    Case("UN1", Unique(axis: 0, sorted: true), number),
    Case("QL1", QuantizeLinear(), words, number),
    Case("QL2", QuantizeLinear(), vector, number, index),
    Case("QL3", QuantizeLinear(), matrix, vector),
    Case("QL4", QuantizeLinear(), matrix, number, bytes),
    Case("DL1", DequantizeLinear(), vector, number),
    Case("DL2", DequantizeLinear(), words, number, bytes),
    Case("DY1", DynamicQuantizeLinear(), words),
    Case("RS1", Reshape(), vector, vector), Case("RS2", Reshape(), vector, Fact(integers(1, 0))),
    Case("RS3", Reshape(), vector, Fact(integers(-1, -1))),
    Case("RS3", Reshape(), vector, Fact(integers(-2))), Case("RS4", Reshape(), vector, words3),
  ]

  static let zero = Fact(integers(0))
  static let words1 = Fact(integers(1))
  static let words2 = Fact(integers(2, 3))
  static let words3 = Fact(integers(3))
  static let bytes = Fact(Tensor(vector: [UInt8(0), 1, 2]))

  @Test(arguments: cases) func types(refused: Case) {
    expectRejection(refused.clause) { () throws(ModelError) in
      _ = try refused.op.infer(Operands(refused.operands))
    }
  }

  @Test func contents() throws {
    func refuses(_ clause: String, _ op: any Operator, _ operands: Tensor?...) {
      expectRejection(clause) { () throws(ModelError) in
        _ = try op.reference(Operands(operands))
      }
    }
    let matrix = counting(2, 3)
    refuses("GA3", Gather(), matrix, integers(2))
    refuses(
      "GE3", GatherElements(axis: 1), counting(1, 3), Tensor(try Shape([2, 1]), [Int64(0), 0]))
    refuses(
      "GD4", GatherND(batchAxes: 1), counting(3, 2), Tensor(try Shape([2, 1]), [Int64(0), 0]))
    refuses("TS5", TensorScatter(axis: 1, mode: .linear), matrix, counting(2, 2), integers(0, 2))
    refuses("TS5", TensorScatter(axis: 1, mode: .circular), matrix, counting(2, 2), integers(0))
    refuses("RV4", ReverseSequence(), matrix, integers(1, 2, 3))
    refuses("CM3", Compress(axis: 0), counting(1), Tensor(vector: [false, true]))
    refuses("CU3", CumSum(), matrix, integers(0, 1))
  }

  @Test func training() throws {
    var graph = Graph()
    let x = try graph.addInput("x", TensorType(.float32, [2]))
    let ratio = graph.addConstant(Tensor(scalar: Float(0.5)), named: "ratio")
    let mode = graph.addConstant(Tensor(scalar: true), named: "mode")
    let node = ForeignNode(
      name: "drop", kind: "Dropout", domain: "", version: 13, operands: [x, ratio, mode],
      outputNames: ["y"], origin: "", attributes: [:])
    let importer = try #require(
      Identity.importers.first { $0.kind == "Dropout" && $0.versions.contains(13) })
    expectRejection("ID1") { () throws(ModelError) in _ = try importer.append(node, &graph) }
  }
}
