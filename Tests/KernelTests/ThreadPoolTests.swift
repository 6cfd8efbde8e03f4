import Foundation
import ModelKernels
import Synchronization
import Testing

@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 3, 8]) func everyTaskRunsOnce(threads: Int) {
    let pool = ThreadPool(threads: threads)
    for tasks in [0, 1, 2, 7, 100] {
      for _ in 0..<50 {
        let counts = KernelMemory(byteCount: tasks * 4) { _ in }
        let counters = counts.address.assumingMemoryBound(to: Int32.self)
        pool.run(tasks: tasks) { task, worker in
          #expect(worker >= 0 && worker < pool.threads)
          counters[task] += 1
        }
        #expect((0..<tasks).allSatisfy { counters[$0] == 1 })
      }
    }
  }

  /// Longer than workers look out for the next run before they sleep.
  @Test func workersWakeAfterAPause() {
    let pool = ThreadPool(threads: 3)
    let done = Counter()
    for _ in 0..<20 {
      usleep(2_000)
      pool.run(tasks: 9) { _, _ in
        usleep(50)
        done.value.add(1, ordering: .relaxed)
      }
    }
    #expect(done.value.load(ordering: .relaxed) == 180)
  }

  /// Two tasks never hold one worker number at a time.
  @Test func workersAreExclusive() {
    let pool = ThreadPool(threads: 4)
    let busy = (0..<4).map { _ in Counter() }
    pool.run(tasks: 200) { _, worker in
      #expect(busy[worker].value.add(1, ordering: .relaxed).newValue == 1)
      for _ in 0..<100 { busy[worker].value.add(0, ordering: .relaxed) }
      busy[worker].value.subtract(1, ordering: .relaxed)
    }
  }

  private final class Counter: Sendable {
    let value = Atomic<Int>(0)
  }
}
