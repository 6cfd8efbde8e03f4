import ModelAdaptation
import ModelIR
import ModelOperators
import TensorCore
import Testing

/// A network of two Gemms is fine-tuned; every optimiser follows PyTorch's step for step.
@Suite struct OptimizerTests {
  private static let parameters = ["w1", "b1", "w2", "b2"]

  private func network(_ goldens: GradientGoldens) throws -> Graph {
    var graph = Graph()
    var ids: [String: ValueID] = [:]
    for name in ["x", "target"] + Self.parameters {
      ids[name] = try graph.addInput(name, try goldens.tensor(name).type)
    }
    let hidden = try graph.appendOne(
      Gemm(transposeB: true, epilogue: Epilogue(.relu)), named: "hidden",
      to: [ids["x"], ids["w1"], ids["b1"]])
    let y = try graph.appendOne(
      Gemm(transposeB: true), named: "y", to: [hidden, ids["w2"], ids["b2"]])
    let target = try #require(ids["target"])
    let count = Float(try goldens.tensor("target").count)
    let weight = graph.addConstant(Tensor(scalar: 1 / count), named: "weight")
    try graph.addOutput("loss", Loss.square.append(y, target, weight: weight, to: &graph))
    return graph
  }

  @Test(arguments: ["adam", "adam-decay", "sgd", "sgd-momentum", "sgd-nesterov"])
  func fineTuningIsPyTorchs(_ name: String) throws {
    let goldens = try GradientGoldens("training")
    let optimizers: [String: any Optimizer] = [
      "adam": Adam(rate: 0.01),
      "adam-decay": Adam(rate: 0.02, beta1: 0.8, beta2: 0.99, epsilon: 1e-6, decay: 0.1),
      "sgd": SGD(rate: 0.05),
      "sgd-momentum": SGD(rate: 0.02, momentum: 0.9, dampening: 0.1, decay: 0.05),
      "sgd-nesterov": SGD(rate: 0.02, momentum: 0.9, nesterov: true),
    ]
    var optimizer = try #require(optimizers[name])
    var runner = GradientRunner(try network(goldens), loss: "loss", by: Self.parameters)
    var inputs = ["x": try goldens.tensor("x"), "target": try goldens.tensor("target")]
    var values: [[Float]] = []
    for parameter in Self.parameters { values.append(try goldens.tensor(parameter).floats()) }
    for wanted in try goldens.tensor("\(name).loss").doubles() {
      for (parameter, value) in zip(Self.parameters, values) {
        inputs[parameter] = Tensor(try goldens.tensor(parameter).shape, value)
      }
      let step = try runner.run(inputs)
      #expect(abs(step.loss - wanted) <= 2e-6 * max(1, wanted))
      optimizer.step(&values, step.gradients)
    }
    for (parameter, value) in zip(Self.parameters, values) {
      for (a, b) in zip(value, try goldens.tensor("\(name).\(parameter)").floats()) {
        #expect(abs(a - b) <= 1e-5)
      }
    }
  }
}
