import Synchronization

/// Things that are costly to make and that one thread at a time may use, such as a runner with its plans: kept for the next who asks.
package final class ReusePool<Content>: Sendable {
  /// `@unchecked Sendable`: whoever takes it off the list is the only one to use it until it is back.
  private struct Item: @unchecked Sendable {
    let content: Content
  }

  private let idle = Mutex<[Item]>([])

  package init() {}

  /// Calls `body` with one that nobody else uses meanwhile.
  ///
  /// - Parameters:
  ///   - fits: whether a kept one will do.
  ///   - make: makes one where none does.
  package func use<Result, Failure: Error>(
    where fits: (Content) -> Bool = { _ in true }, orMake make: () throws(Failure) -> Content,
    _ body: (Content) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let known = idle.withLock { idle in
      idle.lastIndex { fits($0.content) }.map { idle.remove(at: $0) }
    }
    let item: Item
    if let known { item = known } else { item = Item(content: try make()) }
    defer { idle.withLock { $0.append(item) } }
    return try body(item.content)
  }
}
