import Foundation
import ModelBundle
import TensorCore

extension RejectedCorpus {
  /// Banks that are well-formed JSON and fit no memory (`B50`…`B52`).
  func banks() throws -> [Rejected] {
    let banked = try Sample.writer().bytes(of: try Sample.banked())
    var rejected: [Rejected] = []
    func add(
      _ name: String, _ old: String, _ new: String, code: ModelError.Code = .malformedInput
    ) throws {
      var forge = try Forge(banked)
      let text = forge.text("record", StoredBank.record)
      let changed = text.replacingOccurrences(of: old, with: new)
      if changed == text { throw PlainReader.Failure("'\(old)' is not in \(text)") }
      forge.replace("record", StoredBank.record, changed)
      rejected.append(Rejected("bank-\(name)", code, forge.bytes()))
    }
    let text = try Forge(banked).text("record", StoredBank.record)
    let numbers = text.split(whereSeparator: { !$0.isNumber }).map(String.init)
    let (keys, scales) = (numbers[0], numbers[1])
    let (values, valueScales) = (numbers[2], numbers[3])
    try add("member", #""used""#, #""use""#)
    try add("used", #""used":"trained""#, #""used":0"#)
    try add("used-twice", #""used":"trained""#, #""used":"speaker""#)
    try add("name", #""name":"speaker""#, #""name":"Speaker 2""#)
    try add("name-empty", #""name":"speaker""#, #""name":"""#)
    try add("others", #""others":["#, #""others":[0,"#)
    try add("memory-unknown", #""memory":"read""#, #""memory":"write""#)
    try add("memory-other", #""memory":"read""#, #""memory":"y""#)
    try add("graph-unknown", #""graph":"main""#, #""graph":"face""#)
    try add("graph-number", #""graph":"main""#, #""graph":3"#)
    try add("tensor-unknown", "[\(keys),\(scales)]", "[999,\(scales)]")
    try add("tensor-negative", "[\(keys),\(scales)]", "[-1,\(scales)]")
    try add("no-tensor", "[\(keys),\(scales)]", "[]")
    try add("no-scales", "[\(keys),\(scales)]", "[\(keys)]")
    try add("three-tensors", "[\(keys),\(scales)]", "[\(keys),\(scales),\(scales)]")
    try add("scales-of-values", "[\(keys),\(scales)]", "[\(keys),\(valueScales)]")
    try add("keys-for-values", "[\(values),\(valueScales)]", "[\(keys),\(scales)]")
    try add("vector", "[\(keys),\(scales)]", "[\(scales)]")
    let entry = #"{"memories":[],"name":"speaker-"#
    let many = (0..<4096).map { entry + "\($0)\"}" }.joined(separator: ",")
    try add("many", #""others":["#, #""others":["# + many + ",", code: .limitExceeded)
    try add("of-nothing", #""others":["#, #""others":["# + entry + #"2"},"#)
    for scale: Float in [0, -1, .infinity, .nan] {
      let bytes = try Sample.writer().bytes(of: try Sample.banked(scale: scale))
      rejected.append(Rejected("bank-scale-\(scale)", .malformedInput, bytes))
    }
    return rejected
  }
}
