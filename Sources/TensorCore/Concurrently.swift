import Dispatch
import Synchronization

/// `body` of every index below `count`, on all cores; results are in order whatever ran first.
///
/// - Throws: the error of the lowest index that has one.
package func concurrently<Result: Sendable, Failure: Error>(
  _ count: Int, _ body: @Sendable (Int) throws(Failure) -> Result
) throws(Failure) -> [Result] {
  let results = Mutex<[Swift.Result<Result, Failure>?]>(.init(repeating: nil, count: count))
  DispatchQueue.concurrentPerform(iterations: count) { index in
    let result: Swift.Result<Result, Failure>
    do throws(Failure) { result = .success(try body(index)) } catch { result = .failure(error) }
    results.withLock { $0[index] = result }
  }
  var ordered: [Result] = []
  ordered.reserveCapacity(count)
  for result in results.withLock({ $0 }) {
    if let result { ordered.append(try result.get()) }
  }
  return ordered
}
