import TensorCore

/// The value of one attribute: what the text form, bundles and importers exchange.
package enum Attribute: Sendable, Equatable {
  case boolean(Bool)
  case integer(Int)
  case float(Float)
  case string(String)
  case integers([Int])
  case floats([Float])
  case strings([String])
  case tensor(Tensor)
  /// A closed graph: everything that it reads is an input of it.
  case graph(Graph)
  case none
}

/// A stored property that can be an attribute.
package protocol AttributeRepresentable: Sendable, SendableMetatype, Equatable {
  init(_ attribute: Attribute) throws(ModelError)
  var attribute: Attribute { get }
}

private func mismatch(_ attribute: Attribute, _ wanted: String) -> ModelError {
  if case .graph = attribute {
    return ModelError(.unsupportedAttribute, "a graph is not \(wanted)")
  }
  return ModelError(.unsupportedAttribute, "\(attribute) is not \(wanted)")
}

extension Bool: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .boolean(let value) = attribute else { throw mismatch(attribute, "a boolean") }
    self = value
  }
  package var attribute: Attribute { .boolean(self) }
}

extension Int: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .integer(let value) = attribute else { throw mismatch(attribute, "an integer") }
    self = value
  }
  package var attribute: Attribute { .integer(self) }
}

extension Float: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .float(let value) = attribute else { throw mismatch(attribute, "a float") }
    self = value
  }
  package var attribute: Attribute { .float(self) }
}

extension String: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .string(let value) = attribute else { throw mismatch(attribute, "a string") }
    self = value
  }
  package var attribute: Attribute { .string(self) }
}

/// An element type whose arrays are attribute values.
package protocol AttributeElement: Sendable, SendableMetatype, Equatable {
  static func list(_ attribute: Attribute) throws(ModelError) -> [Self]
  static func attribute(_ list: [Self]) -> Attribute
}

extension Int: AttributeElement {
  package static func list(_ attribute: Attribute) throws(ModelError) -> [Int] {
    guard case .integers(let list) = attribute else { throw mismatch(attribute, "integers") }
    return list
  }
  package static func attribute(_ list: [Int]) -> Attribute { .integers(list) }
}

extension Float: AttributeElement {
  package static func list(_ attribute: Attribute) throws(ModelError) -> [Float] {
    guard case .floats(let list) = attribute else { throw mismatch(attribute, "floats") }
    return list
  }
  package static func attribute(_ list: [Float]) -> Attribute { .floats(list) }
}

extension String: AttributeElement {
  package static func list(_ attribute: Attribute) throws(ModelError) -> [String] {
    guard case .strings(let list) = attribute else { throw mismatch(attribute, "strings") }
    return list
  }
  package static func attribute(_ list: [String]) -> Attribute { .strings(list) }
}

extension Array: AttributeRepresentable where Element: AttributeElement {
  package init(_ attribute: Attribute) throws(ModelError) { self = try Element.list(attribute) }
  package var attribute: Attribute { Element.attribute(self) }
}

extension Tensor: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .tensor(let value) = attribute else { throw mismatch(attribute, "a tensor") }
    self = value
  }
  package var attribute: Attribute { .tensor(self) }
}

extension Graph: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .graph(let value) = attribute else { throw mismatch(attribute, "a graph") }
    self = value
  }
  package var attribute: Attribute { .graph(self) }
}

extension ElementType: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .string(let name) = attribute, let value = ElementType(rawValue: name) else {
      throw mismatch(attribute, "an element type")
    }
    self = value
  }
  package var attribute: Attribute { .string(rawValue) }
}

extension Optional: AttributeRepresentable where Wrapped: AttributeRepresentable {
  package init(_ attribute: Attribute) throws(ModelError) {
    if case .none = attribute { self = nil } else { self = try Wrapped(attribute) }
  }
  package var attribute: Attribute { self?.attribute ?? Attribute.none }
}

/// For enumerations whose cases are attribute values: conform with no further code.
package protocol StringAttribute: AttributeRepresentable, RawRepresentable, CaseIterable
where RawValue == String {}

extension StringAttribute {
  package init(_ attribute: Attribute) throws(ModelError) {
    guard case .string(let name) = attribute, let value = Self(rawValue: name) else {
      let known = Self.allCases.map(\.rawValue).joined(separator: ", ")
      throw ModelError(.unsupportedAttribute, "\(attribute) is not one of \(known)")
    }
    self = value
  }
  package var attribute: Attribute { .string(rawValue) }
}

/// One attribute of one operator; the text form, bundles and comparison all read it.
package struct Field<Root>: Sendable {
  package let name: String
  package let get: @Sendable (Root) -> Attribute
  package let set: @Sendable (inout Root, Attribute) throws(ModelError) -> Void

  package init<Value: AttributeRepresentable>(
    _ name: String, _ path: any WritableKeyPath<Root, Value> & Sendable
  ) {
    self.name = name
    get = { $0[keyPath: path].attribute }
    set = { (root: inout Root, attribute: Attribute) throws(ModelError) in
      root[keyPath: path] = try during("reading attribute '\(name)'") { () throws(ModelError) in
        try Value(attribute)
      }
    }
  }
}
