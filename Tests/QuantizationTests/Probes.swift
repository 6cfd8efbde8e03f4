import ModelQuantization
import TensorCore

/// Samples with what the graph that `calibration` observes makes of them.
func probes(
  _ calibration: borrowing Calibration, _ samples: [[Tensor]]
) throws -> [WeightSensitivity.Sample] {
  zip(samples, try calibration.outputs(samples)).map {
    WeightSensitivity.Sample(inputs: $0, outputs: $1)
  }
}
