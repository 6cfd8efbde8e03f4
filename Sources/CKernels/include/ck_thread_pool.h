/* A pool of threads that share out numbered tasks. */
#ifndef CK_THREAD_POOL_H
#define CK_THREAD_POOL_H

#include <stddef.h>

typedef struct ck_thread_pool ck_thread_pool;

/* One task. `task` < task_count; `worker` < number of threads, and no two tasks run at the same time with one worker number, so
 * it can choose a scratch buffer. */
typedef void (*ck_task_fn)(void *_Nullable context, size_t task, size_t worker);

/* A pool of `threads` workers, the caller of run included; 0 counts as 1. NULL if threads or memory cannot be had. */
ck_thread_pool *_Nullable ck_thread_pool_create(size_t threads);

/* Waits for nothing: no run may be in progress. NULL is allowed. */
void ck_thread_pool_destroy(ck_thread_pool *_Nullable pool);

/* Number of workers, >= 1. NULL counts as one worker. */
size_t ck_thread_pool_size(const ck_thread_pool *_Nullable pool);

/* Runs tasks 0 ..< task_count and returns when all are done; what they wrote is visible to the caller. Which worker takes which
 * task is not fixed, so tasks write disjoint memory. With one worker (or a NULL pool, or one task) they run in order, inline.
 * One run at a time for each pool; a task must not call run on its own pool. */
void ck_thread_pool_run(ck_thread_pool *_Nullable pool, size_t task_count, ck_task_fn _Nonnull task, void *_Nullable context);

#endif
