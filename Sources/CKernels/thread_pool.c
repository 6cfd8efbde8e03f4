/* A pool of threads over POSIX threads. A run's tasks are shared out in advance, so that the same worker does the same part of one step
 * after another and finds what it reads in its own cache; who has done its share takes from the ends of the others'. The caller goes on when all
 * are done, whether or not every worker has noticed. Waits spin for a while and then sleep. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "include/ck_thread_pool.h"

enum {
  line_bytes = 64, /* what two processors write lies at least so far apart */
  spin_nanoseconds = 200000,
  spins = 32, /* between looks at the clock */
};

typedef struct worker {
  ck_thread_pool *pool;
  size_t number;
  pthread_t thread;
  /* Its tasks that nobody has taken: the first, and the end in the upper half. */
  _Alignas(line_bytes) atomic_uint_least64_t tasks;
} worker;

/* A number that somebody waits for, and how many have fallen asleep over it. */
typedef struct awaited {
  _Alignas(line_bytes) atomic_size_t value;
  atomic_size_t sleepers;
  pthread_cond_t changed;
} awaited;

struct ck_thread_pool {
  size_t size;
  pthread_mutex_t lock;
  atomic_int stopping;
  /* The run: written by the caller while no task is undone, read by whoever has taken one. */
  ck_task_fn task;
  void *context;
  awaited run;    /* its number, for workers */
  awaited undone; /* its tasks that are not done, for the caller */
  worker workers[]; /* the caller first */
};

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* Whether the value is `value` as `wanted` says. */
static int is(const awaited *a, int wanted, size_t value) { return (atomic_load(&a->value) == value) == wanted; }

static void await(ck_thread_pool *pool, awaited *a, int wanted, size_t value) {
  for (int64_t now = 0, end = 0; now <= end;) {
    for (int spin = 0; spin < spins; spin++) {
      if (is(a, wanted, value)) {
        return;
      }
      pause_briefly();
    }
    now = nanoseconds();
    end = end ? end : now + spin_nanoseconds;
  }
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add(&a->sleepers, 1);
  while (!is(a, wanted, value)) {
    pthread_cond_wait(&a->changed, &pool->lock);
  }
  atomic_fetch_sub(&a->sleepers, 1);
  pthread_mutex_unlock(&pool->lock);
}

/* After a change: whoever sleeps has either seen it or is counted. */
static void wake(ck_thread_pool *pool, awaited *a) {
  if (atomic_load(&a->sleepers)) {
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&a->changed);
    pthread_mutex_unlock(&pool->lock);
  }
}

static uint64_t range(size_t first, size_t end) { return (uint64_t)end << 32 | first; }

/* Takes the first of a worker's tasks, or the last; says whether there was one. */
static int take(worker *owner, int is_last, size_t *task) {
  uint64_t tasks = atomic_load(&owner->tasks);
  for (;;) {
    size_t first = (uint32_t)tasks, end = tasks >> 32;
    if (first >= end) {
      return 0;
    }
    *task = is_last ? end - 1 : first;
    if (atomic_compare_exchange_weak(&owner->tasks, &tasks, is_last ? range(first, end - 1) : range(first + 1, end))) {
      return 1;
    }
  }
}

/* A task that is taken keeps its run from ending, so what is read of the run is of the same one. */
static void do_tasks(ck_thread_pool *pool, size_t number) {
  size_t task;
  for (size_t i = 0; i < pool->size; i++) {
    while (take(&pool->workers[(number + i) % pool->size], i > 0, &task)) {
      pool->task(pool->context, task, number);
      if (atomic_fetch_sub(&pool->undone.value, 1) == 1) {
        wake(pool, &pool->undone);
      }
    }
  }
}

static void *work(void *argument) {
  worker *self = argument;
  ck_thread_pool *pool = self->pool;
  for (size_t seen = 0;;) {
    await(pool, &pool->run, 0, seen);
    if (atomic_load(&pool->stopping)) {
      return 0;
    }
    seen = atomic_load(&pool->run.value);
    do_tasks(pool, self->number);
  }
}

static void publish(ck_thread_pool *pool) {
  atomic_fetch_add(&pool->run.value, 1);
  wake(pool, &pool->run);
}

/* Stops and joins the workers before number `end`. */
static void stop(ck_thread_pool *pool, size_t end) {
  atomic_store(&pool->stopping, 1);
  publish(pool);
  for (size_t i = 1; i < end; i++) {
    pthread_join(pool->workers[i].thread, 0);
  }
  pthread_cond_destroy(&pool->undone.changed);
  pthread_cond_destroy(&pool->run.changed);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

ck_thread_pool *ck_thread_pool_create(size_t threads) {
  size_t size = threads ? threads : 1;
  if (size > 4096) {
    return 0;
  }
  const size_t bytes = sizeof(ck_thread_pool) + size * sizeof(worker);
  ck_thread_pool *pool = aligned_alloc(line_bytes, bytes);
  if (!pool) {
    return 0;
  }
  memset(pool, 0, bytes);
  pool->size = size;
  pthread_mutex_init(&pool->lock, 0);
  pthread_cond_init(&pool->run.changed, 0);
  pthread_cond_init(&pool->undone.changed, 0);
  for (size_t i = 1; i < size; i++) {
    pool->workers[i].pool = pool;
    pool->workers[i].number = i;
    if (pthread_create(&pool->workers[i].thread, 0, work, &pool->workers[i])) {
      stop(pool, i);
      return 0;
    }
  }
  return pool;
}

void ck_thread_pool_destroy(ck_thread_pool *pool) {
  if (pool) {
    stop(pool, pool->size);
  }
}

size_t ck_thread_pool_size(const ck_thread_pool *pool) { return pool ? pool->size : 1; }

void ck_thread_pool_run(ck_thread_pool *pool, size_t task_count, ck_task_fn task, void *context) {
  if (!pool || pool->size == 1 || task_count <= 1) {
    for (size_t i = 0; i < task_count; i++) {
      task(context, i, 0);
    }
    return;
  }
  pool->task = task;
  pool->context = context;
  atomic_store_explicit(&pool->undone.value, task_count, memory_order_relaxed);
  for (size_t i = 0; i < pool->size; i++) {
    const uint64_t share = range(task_count * i / pool->size, task_count * (i + 1) / pool->size);
    atomic_store_explicit(&pool->workers[i].tasks, share, memory_order_release);
  }
  publish(pool);
  do_tasks(pool, 0);
  await(pool, &pool->undone, 1, 0);
}
