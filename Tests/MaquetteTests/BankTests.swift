import Foundation
import Maquette
import OnnxFormat
import TensorCore
import Testing

/// Banks of a bundle's memories, by the requests of `maquette memory`.
@Suite final class BankTests: FolderTests {
  static let bridge = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../golden/families/associative-bridge/tiny").standardized

  private func bundle(_ model: String, _ name: String) throws -> String {
    _ = try Conversion(
      model: Self.bridge.appending(path: "\(model).onnx").path(), output: path(name)
    ).run()
    return path(name)
  }

  @discardableResult
  private func run(
    _ bundle: String, _ action: BankRequest.Action, to output: String? = nil
  ) throws -> String {
    var request = BankRequest(bundle: bundle, action: action)
    request.output = output
    return try request.run().text
  }

  private func code(_ bundle: String, _ action: BankRequest.Action) -> ModelError.Code? {
    do {
      try run(bundle, action)
      return nil
    } catch let error as ModelError {
      return error.code
    } catch {
      return nil
    }
  }

  @Test func aBankGoesOutAndComesBack() throws {
    let bundle = try bundle("heads-d3", "a.maq")
    #expect(try run(bundle, .list).hasSuffix("banks: trained (in use)"))
    try run(bundle, .export("trained", file: path("trained.npz")))
    let arrays = try NumpyArchive.read(path: path("trained.npz"))
    #expect(arrays.count == 8 && arrays.allSatisfy { $0.tensor.element == .float32 })
    // Four heads, each with keys of its own: the radius is their length.
    let keys = arrays[0].tensor
    let row = keys.floats().prefix(keys.shape[1]).reduce(0) { $0 + $1 * $1 }
    #expect(abs(row.squareRoot() - 16) < 1e-4)

    let half = arrays.map { array in
      (
        name: array.name,
        tensor: Tensor(array.tensor.shape, array.tensor.floats().map { $0 / 2 })
      )
    }
    try NumpyArchive.write(half, path: path("half.npz"))
    #expect(
      try run(bundle, .add("speaker", file: path("half.npz")))
        .contains("banks: trained (in use), speaker"))
    try run(bundle, .export("speaker", file: path("again.npz")))
    let again = try NumpyArchive.read(path: path("again.npz"))
    #expect(zip(again, half).allSatisfy { $0.tensor == $1.tensor && $0.name == $1.name })
    let used = try run(bundle, .use("speaker"), to: path("b.maq"))
    #expect(used.contains("banks: speaker (in use), trained"))
    try run(path("b.maq"), .export("trained", file: path("back.npz")))
    let back = try NumpyArchive.read(path: path("back.npz"))
    #expect(zip(back, arrays).allSatisfy { $0.tensor == $1.tensor })
    // The bundle that was read is as it was, and the other runs.
    #expect(try run(bundle, .list).contains("banks: trained (in use), speaker"))
    #expect(try Inspection(of: path("b.maq")).text.contains("associative-bridge"))
  }

  /// Adds a bank of half the numbers.
  private func addHalf(to bundle: String) throws {
    try run(bundle, .export("trained", file: path("trained.npz")))
    let half = try NumpyArchive.read(path: path("trained.npz")).map { array in
      (
        name: array.name,
        tensor: Tensor(array.tensor.shape, array.tensor.floats().map { $0 / 2 })
      )
    }
    try NumpyArchive.write(half, path: path("half.npz"))
    try run(bundle, .add("half", file: path("half.npz")))
  }

  @Test func aRunReadsTheBankThatItNames() throws {
    let bundle = try bundle("heads-d3", "a.maq")
    try addHalf(to: bundle)
    try run(bundle, .use("half"), to: path("b.maq"))
    func digests(_ model: String, _ bank: String?) throws -> [String: String] {
      var verification = Verification(model: model)
      verification.golden = Self.bridge.appending(path: "heads").path()
      verification.bank = bank
      return try verification.run().digests
    }
    let half = try digests(bundle, "half")
    #expect(!half.isEmpty)
    #expect(try half == digests(path("b.maq"), nil))
    #expect(try digests(bundle, nil) == digests(path("b.maq"), "trained"))
    #expect(try digests(bundle, nil) == digests(bundle, "trained"))
    #expect(try half != digests(bundle, nil))
    for (model, bank, code) in [
      (bundle, "nobody", ModelError.Code.usage),
      (Self.bridge.appending(path: "heads-d3.onnx").path(), "trained", .usage),
      (try self.bundle("gru-audio-visual-d3", "c.maq"), "trained", .unsupportedFeature),
    ] {
      var request = Execution(model: model, output: path("out"))
      request.bank = bank
      #expect(#expect(throws: ModelError.self) { try request.run() }?.code == code)
    }
  }

  @Test func aBankThatIsNotReadIsRemoved() throws {
    let bundle = try bundle("heads-d3", "a.maq")
    let bytes = try Data(contentsOf: URL(filePath: bundle))
    try addHalf(to: bundle)
    #expect(code(bundle, .remove("trained")) == .usage)
    #expect(code(bundle, .remove("nobody")) == .usage)
    #expect(try run(bundle, .remove("half")).hasSuffix("banks: trained (in use)\n'half' removed"))
    #expect(try Data(contentsOf: URL(filePath: bundle)) == bytes, "nothing of it is left")
    try addHalf(to: bundle)
    try run(bundle, .use("half"))
    #expect(try run(bundle, .remove("trained")).contains("banks: half (in use)"))
  }

  /// What another speaker's model remembers, taken from the model as it was exported.
  @Test func aModelGivesItsBank() throws {
    let bundle = try bundle("heads-d3", "a.maq")
    let other = Self.bridge.appending(path: "heads-d1.onnx").path()
    try run(bundle, .replace("trained", file: other))
    try run(bundle, .export("trained", file: path("a.npz")))
    #expect(try NumpyArchive.read(path: path("a.npz")).count == 8)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    let bundle = try bundle("heads-d3", "a.maq")
    try run(bundle, .export("trained", file: path("trained.npz")))
    let arrays = try NumpyArchive.read(path: path("trained.npz"))
    func changed(_ change: (inout [(name: String, tensor: Tensor)]) throws -> Void) throws -> String
    {
      var list = arrays
      try change(&list)
      let file = path("changed.npz")
      try NumpyArchive.write(list, path: file)
      return file
    }
    let good = path("trained.npz")
    #expect(code(bundle, .add("trained", file: good)) == .usage)
    #expect(code(bundle, .add("Speaker 2", file: good)) == .usage)
    #expect(code(bundle, .replace("nobody", file: good)) == .usage)
    #expect(code(bundle, .use("nobody")) == .usage)
    #expect(code(bundle, .export("nobody", file: path("x.npz"))) == .usage)
    #expect(code(bundle, .add("b", file: path("none.npz"))) == .missingInput)
    #expect(code(bundle, .add("b", file: try changed { $0.removeLast() })) == .missingInput)
    #expect(
      code(bundle, .add("b", file: try changed { $0.append(("more", $0[0].tensor)) }))
        == .invalidValue)
    #expect(
      code(bundle, .add("b", file: try changed { $0[1].tensor = $0[0].tensor })) == .shapeMismatch)
    #expect(
      code(
        bundle,
        .add(
          "b",
          file: try changed {
            $0[0].tensor = Tensor($0[0].tensor.shape, $0[0].tensor.floats().map { Int32($0) })
          })) == .typeMismatch)
    #expect(
      code(
        bundle,
        .add(
          "b",
          file: try changed {
            var values = $0[0].tensor.floats()
            values[0] = .nan
            $0[0].tensor = Tensor($0[0].tensor.shape, values)
          })) == .invalidValue)
    let reader = Self.bridge.appending(path: "gru-d3.onnx").path()
    #expect(code(bundle, .add("b", file: reader)) == .shapeMismatch)
    #expect(code(reader, .list) == .malformedInput)
    #expect(
      code(try self.bundle("gru-audio-visual-d3", "c.maq"), .list) == .unsupportedFeature)
    #expect(try run(bundle, .list).hasSuffix("banks: trained (in use)"))
  }
}
