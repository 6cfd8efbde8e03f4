/* A pool of threads over POSIX threads. A run is a generation: its number is published, workers take tasks from a shared counter,
 * and the caller waits until every worker has left the run. Waits spin briefly and then sleep. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "include/ck_thread_pool.h"

enum { spin_limit = 2000 };

typedef struct worker {
  ck_thread_pool *pool;
  size_t number;
  pthread_t thread;
} worker;

struct ck_thread_pool {
  size_t size;
  pthread_mutex_t lock;
  pthread_cond_t started;
  pthread_cond_t finished;
  /* The run: written by the caller before `generation` moves on, read by workers after they saw it. */
  ck_task_fn task;
  void *context;
  size_t task_count;
  atomic_size_t next;
  atomic_size_t busy; /* workers that have not left this run */
  atomic_size_t generation;
  atomic_int stopping;
  worker workers[];
};

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static void take_tasks(ck_thread_pool *pool, size_t number) {
  for (;;) {
    size_t task = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
    if (task >= pool->task_count) {
      return;
    }
    pool->task(pool->context, task, number);
  }
}

/* Waits for a generation other than `seen`; returns it. */
static size_t await_generation(ck_thread_pool *pool, size_t seen) {
  for (int spin = 0; spin < spin_limit; spin++) {
    size_t now = atomic_load_explicit(&pool->generation, memory_order_acquire);
    if (now != seen) {
      return now;
    }
    pause_briefly();
  }
  pthread_mutex_lock(&pool->lock);
  size_t now;
  while ((now = atomic_load_explicit(&pool->generation, memory_order_acquire)) == seen) {
    pthread_cond_wait(&pool->started, &pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
  return now;
}

static void *work(void *argument) {
  worker *self = argument;
  ck_thread_pool *pool = self->pool;
  size_t seen = 0;
  for (;;) {
    seen = await_generation(pool, seen);
    if (atomic_load_explicit(&pool->stopping, memory_order_acquire)) {
      return 0;
    }
    take_tasks(pool, self->number);
    if (atomic_fetch_sub_explicit(&pool->busy, 1, memory_order_acq_rel) == 1) {
      pthread_mutex_lock(&pool->lock);
      pthread_cond_signal(&pool->finished);
      pthread_mutex_unlock(&pool->lock);
    }
  }
}

static void publish(ck_thread_pool *pool) {
  pthread_mutex_lock(&pool->lock);
  atomic_fetch_add_explicit(&pool->generation, 1, memory_order_release);
  pthread_cond_broadcast(&pool->started);
  pthread_mutex_unlock(&pool->lock);
}

/* Stops and joins the first `count` workers after the caller. */
static void stop(ck_thread_pool *pool, size_t count) {
  atomic_store_explicit(&pool->stopping, 1, memory_order_release);
  publish(pool);
  for (size_t i = 0; i < count; i++) {
    pthread_join(pool->workers[i].thread, 0);
  }
  pthread_cond_destroy(&pool->finished);
  pthread_cond_destroy(&pool->started);
  pthread_mutex_destroy(&pool->lock);
  free(pool);
}

ck_thread_pool *ck_thread_pool_create(size_t threads) {
  size_t size = threads ? threads : 1;
  if (size > 4096) {
    return 0;
  }
  ck_thread_pool *pool = calloc(1, sizeof *pool + (size - 1) * sizeof(worker));
  if (!pool) {
    return 0;
  }
  pool->size = size;
  pthread_mutex_init(&pool->lock, 0);
  pthread_cond_init(&pool->started, 0);
  pthread_cond_init(&pool->finished, 0);
  for (size_t i = 0; i + 1 < size; i++) {
    pool->workers[i].pool = pool;
    pool->workers[i].number = i + 1;
    if (pthread_create(&pool->workers[i].thread, 0, work, &pool->workers[i])) {
      stop(pool, i);
      return 0;
    }
  }
  return pool;
}

void ck_thread_pool_destroy(ck_thread_pool *pool) {
  if (pool) {
    stop(pool, pool->size - 1);
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
  pool->task_count = task_count;
  atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
  atomic_store_explicit(&pool->busy, pool->size - 1, memory_order_relaxed);
  publish(pool);
  take_tasks(pool, 0);
  for (int spin = 0; spin < spin_limit; spin++) {
    if (atomic_load_explicit(&pool->busy, memory_order_acquire) == 0) {
      return;
    }
    pause_briefly();
  }
  pthread_mutex_lock(&pool->lock);
  while (atomic_load_explicit(&pool->busy, memory_order_acquire)) {
    pthread_cond_wait(&pool->finished, &pool->lock);
  }
  pthread_mutex_unlock(&pool->lock);
}
