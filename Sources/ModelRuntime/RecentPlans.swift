import TensorCore

/// What was planned for inputs of some types: the last few, the most recent first.
package struct RecentPlans<Planned: AnyObject> {
  private var kept: [(types: [TensorType], planned: Planned)] = []
  private let limit: Int

  /// - Parameter limit: plans that are kept at once.
  package init(limit: Int) { self.limit = limit }

  /// The plan for these types, which becomes the most recent one; nil where none is kept.
  package mutating func plan(for types: [TensorType]) -> Planned? {
    guard let index = kept.firstIndex(where: { $0.types == types }) else { return nil }
    let found = kept.remove(at: index)
    kept.insert(found, at: 0)
    return found.planned
  }

  package mutating func keep(_ planned: Planned, for types: [TensorType]) {
    kept.insert((types, planned), at: 0)
    if kept.count > limit { kept.removeLast() }
  }
}
