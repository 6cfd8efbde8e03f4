import Dispatch
import Foundation
import Synchronization

/// `body` of every index below `count`, on all cores; results are in order whatever ran first.
///
/// - Throws: the error of the lowest index that has one.
package func concurrently<Result: Sendable, Failure: Error>(
  _ count: Int, _ body: @Sendable (Int) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  let nothing: @Sendable () -> Void = {}
  return try concurrently(count, with: nothing) { (_: (), index) throws(Failure) in
    try body(index)
  }
}

/// The same, where each core has something of its own that its calls of `body` share, such as memory to work in.
///
/// - Throws: the error of the lowest index that has one.
package func concurrently<State, Result: Sendable, Failure: Error>(
  _ count: Int, with state: @Sendable () -> State,
  _ body: @Sendable (State, Int) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  let results = Mutex<[Swift.Result<Result, Failure>?]>(.init(repeating: nil, count: count))
  let next = Atomic(0)
  DispatchQueue.concurrentPerform(
    iterations: min(count, ProcessInfo.processInfo.activeProcessorCount)
  ) { _ in
    let own = state()
    while true {
      let index = next.wrappingAdd(1, ordering: .relaxed).oldValue
      guard index < count else { return }
      let result: Swift.Result<Result, Failure>
      do throws(Failure) {
        result = .success(try body(own, index))
      } catch {
        result = .failure(error)
      }
      results.withLock { $0[index] = result }
    }
  }
  var ordered: [Result] = []
  ordered.reserveCapacity(count)
  for result in results.withLock({ $0 }) {
    if let result { ordered.append(try result.get()) }
  }
  return ordered
}
