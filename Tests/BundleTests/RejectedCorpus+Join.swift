import Foundation
import ModelBundle
import TensorCore

extension RejectedCorpus {
  /// Joins that are well-formed JSON and fit no graphs (`B22`…`B25`).
  func joins() throws -> [Rejected] {
    var rejected: [Rejected] = []
    func add(
      _ name: String, _ old: String, _ new: String, code: ModelError.Code = .malformedInput
    ) throws {
      var forge = try Forge(joined)
      let text = forge.text("record", "join")
      let changed = text.replacingOccurrences(of: old, with: new)
      if changed == text { throw PlainReader.Failure("'\(old)' is not in \(text)") }
      forge.replace("record", "join", changed)
      rejected.append(Rejected("join-\(name)", code, forge.bytes()))
    }
    let from = #""from":{"part":"front","port":"y"}"#
    let to = #""to":{"part":"bank","port":"query"}"#
    try add("family", #""family":"sample""#, #""family":"Sample""#)
    try add("family-empty", #""family":"sample""#, #""family":"""#)
    try add("member", #""settings""#, #""setting""#)
    try add("settings", #"{"words":["yes","no"]}"#, "[]")
    try add("part-missing", #"{"graph":"front","role":"front"},"#, "")
    try add("part-unknown", #""graph":"front""#, #""graph":"face""#)
    try add("part-twice", #""graph":"front""#, #""graph":"bank""#)
    try add("role-twice", #""role":"front""#, #""role":"bank""#)
    try add("role", #""role":"front""#, #""role":"front end""#)
    try add("rule", #""rule":"same""#, #""rule":"""#)
    try add("from-unknown", from, #""from":{"part":"front","port":"q"}"#)
    try add("from-input", from, #""from":{"part":"front","port":"x"}"#)
    try add("to-unknown", to, #""to":{"part":"none","port":"query"}"#)
    try add("to-output", to, #""to":{"part":"bank","port":"sum"}"#)
    try add("type", from, #""from":{"part":"bank","port":"moved"}"#)
    try add(
      "cycle", from + #","rule":"same","# + to,
      from.replacingOccurrences(of: "front", with: "bank")
        .replacingOccurrences(of: #""port":"y""#, with: #""port":"sum""#)
        + #","rule":"same","# + to)
    let link = "{" + from + #","rule":"same","# + to + "}"
    try add("end-twice", link, link + "," + link)
    let many = (0..<5000).map { _ in link }.joined(separator: ",")
    try add("many", link, many, code: .limitExceeded)
    var forge = try Forge(joined)
    forge.version = 1
    forge.parts[forge.index("record", "join")].name = "notice"
    forge.version = 2
    rejected.append(Rejected("join-missing", .malformedInput, forge.bytes()))
    forge = try Forge(joined)
    forge.replace("record", "join", "{}")
    rejected.append(Rejected("join-empty", .malformedInput, forge.bytes()))
    return rejected
  }
}
