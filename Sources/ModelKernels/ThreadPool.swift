/// Threads that share the tasks of one kernel. Tasks own disjoint outputs, so results never depend on
/// the number of threads.
package final class ThreadPool: Sendable {
  package let threads: Int

  /// - Parameter threads: 1 or more; 1 runs everything on the caller.
  package init(threads: Int) { self.threads = max(1, threads) }

  /// Runs `body(0)` … `body(tasks − 1)`, in any order, and returns when all are done.
  package func run(tasks: Int, _ body: (Int) -> Void) {
    for task in 0..<tasks { body(task) }
  }
}
