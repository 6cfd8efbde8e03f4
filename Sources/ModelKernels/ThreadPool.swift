import CKernels

/// Threads that share the tasks of one kernel. Tasks own disjoint outputs, so results never depend on
/// the number of threads.
///
/// `@unchecked Sendable`: the handle is set once; the C pool may be used by one caller at a time, and
/// its owner, a session, makes one call at a time.
package final class ThreadPool: @unchecked Sendable {
  package let threads: Int
  private let handle: OpaquePointer?

  /// - Parameter threads: 1 or more; 1 runs everything on the caller. Where the system refuses so many
  ///   threads, the pool has one.
  package init(threads: Int) {
    let handle = threads > 1 ? ck_thread_pool_create(threads) : nil
    self.handle = handle
    self.threads = ck_thread_pool_size(handle)
  }

  deinit { ck_thread_pool_destroy(handle) }

  /// Runs `body(0)` … `body(tasks − 1)`, in any order, and returns when all are done. A task must not
  /// run anything on its own pool.
  package func run(tasks: Int, _ body: (Int) -> Void) {
    run(tasks: tasks) { task, _ in body(task) }
  }

  /// As above; `body` also gets the worker's number in 0 ..< ``threads``. No two tasks run at once with
  /// the same number, so it can choose a scratch buffer.
  package func run(tasks: Int, _ body: (_ task: Int, _ worker: Int) -> Void) {
    guard handle != nil, tasks > 1 else {
      for task in 0..<tasks { body(task, 0) }
      return
    }
    withoutActuallyEscaping(body) { body in
      var call = body
      withUnsafeMutablePointer(to: &call) { call in
        ck_thread_pool_run(
          handle, tasks,
          { context, task, worker in
            context?.assumingMemoryBound(to: ((Int, Int) -> Void).self).pointee(task, worker)
          }, call)
      }
    }
  }
}
