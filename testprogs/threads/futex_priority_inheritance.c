// cflags: -pthread
// Priority-inheritance futexes: locks handed over by the kernel, with time limits, to a dead owner's
// heir, and from a condition to its lock.
#include "check.h"
#include "threads/threads.h"

#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2 13
#endif

static atomic_uint lock, condition;
static atomic_int holder_tid, waiter_tid, step;
static atomic_long result;
static atomic_int error;
static int private;

static void until(int wanted) {
    while (step != wanted)
        sleep_ms(1);
}

static void *hold(void *arg) {
    (void)arg;
    holder_tid = gettid();
    REQUIRE(futex(&lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0) == 0);
    step = 1;
    until(2);
    REQUIRE(futex(&lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
    return NULL;
}

static void *take(void *arg) {
    waiter_tid = gettid();
    result = futex(&lock, *(int *)arg | private, 0, NULL, NULL, 0);
    error = result < 0 ? errno : 0;
    step = 3;
    if (result == 0)
        REQUIRE(futex(&lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
    return NULL;
}

static void until_waiting(void) {
    while (waiter_tid == 0)
        sched_yield();
    until_asleep(getpid(), waiter_tid);
}

static void handover(int op) {
    step = waiter_tid = 0;
    pthread_t holder = start(hold, NULL);
    until(1);
    CHECK_EQ(lock, (unsigned)holder_tid);
    CHECK_ERR(futex(&lock, FUTEX_TRYLOCK_PI | private, 0, NULL, NULL, 0), EAGAIN);
    CHECK_ERR(futex(&lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0), EPERM);
    struct timespec at;
    clock_gettime(op == FUTEX_LOCK_PI2 ? CLOCK_MONOTONIC : CLOCK_REALTIME, &at);
    CHECK_ERR(futex(&lock, op | private, 0, &at, NULL, 0), ETIMEDOUT);
    CHECK_ERR(futex(&lock, op | private, 0, &(struct timespec){1, 1000000000}, NULL, 0), EINVAL);
    pthread_t waiter = start(take, &op);
    until_waiting();
    CHECK_EQ(lock, FUTEX_WAITERS | (unsigned)holder_tid);
    step = 2;
    join(holder);
    join(waiter);
    CHECK_EQ(result, 0);
    CHECK_EQ(lock, 0);
}

static void owners(void) {
    // Nobody has this number.
    lock = 0x3ffffff0;
    CHECK_ERR(futex(&lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0), ESRCH);
    lock = FUTEX_OWNER_DIED;
    CHECK_EQ(futex(&lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0), 0);
    CHECK_EQ(lock & FUTEX_TID_MASK, (unsigned)gettid());
    CHECK_ERR(futex(&lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0), EDEADLK);
    CHECK_ERR(futex(&lock, FUTEX_TRYLOCK_PI | private, 0, NULL, NULL, 0), EDEADLK);
    lock = (unsigned)gettid();
    CHECK_EQ(futex(&lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0), 0);
    CHECK_EQ(lock, 0);
    CHECK_ERR(futex(&lock, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME | private, 0, NULL, NULL, 0), ENOSYS);
}

// Ends with the lock held, and no robust list: the kernel knows of it since there is a waiter.
static void *hold_and_end(void *arg) {
    (void)arg;
    REQUIRE(futex(&lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0) == 0);
    step = 1;
    until(2);
    return NULL;
}

static void dead_owner(void) {
    step = waiter_tid = 0;
    int op = FUTEX_LOCK_PI;
    pthread_t holder = start(hold_and_end, NULL);
    until(1);
    pthread_t waiter = start(take, &op);
    until_waiting();
    step = 2;
    join(holder);
    join(waiter);
    CHECK_EQ(result, 0);
    CHECK_EQ(lock & ~FUTEX_OWNER_DIED, 0);
    lock = 0;
}

static void *wait_for_condition(void *timeout) {
    waiter_tid = gettid();
    result = futex(&condition, FUTEX_WAIT_REQUEUE_PI | private, 0, timeout, &lock, 0);
    error = result < 0 ? errno : 0;
    if (result == 0)
        REQUIRE(futex(&lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0) == 0);
    step = 3;
    return NULL;
}

static void requeue(void) {
    CHECK_ERR(futex(&condition, FUTEX_WAIT_REQUEUE_PI | private, 1, NULL, &lock, 0), EAGAIN);
    CHECK_ERR(futex(&condition, FUTEX_WAIT_REQUEUE_PI | private, 0, NULL, &condition, 0), EINVAL);
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    CHECK_ERR(futex(&condition, FUTEX_WAIT_REQUEUE_PI | private, 0, &at, &lock, 0), ETIMEDOUT);
    CHECK_ERR(futex(&condition, FUTEX_CMP_REQUEUE_PI | private, 2, NULL, &lock, 0), EINVAL);
    CHECK_ERR(futex(&condition, FUTEX_CMP_REQUEUE_PI | private, 1, NULL, &lock, 1), EAGAIN);
    CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI | private, 1, NULL, &lock, 0), 0);

    // The lock is free: the waiter gets it.
    step = waiter_tid = 0;
    pthread_t waiter = start(wait_for_condition, NULL);
    until_waiting();
    CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI | private, 1, NULL, &lock, 0), 1);
    join(waiter);
    CHECK_EQ(result, 0);

    // The lock is held: the waiter gets it later.
    CHECK_EQ(futex(&lock, FUTEX_LOCK_PI | private, 0, NULL, NULL, 0), 0);
    step = waiter_tid = 0;
    waiter = start(wait_for_condition, NULL);
    until_waiting();
    CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI | private, 1, (void *)5, &lock, 0), 1);
    until_waiting();
    CHECK_EQ(step, 0);
    CHECK_EQ(futex(&lock, FUTEX_UNLOCK_PI | private, 0, NULL, NULL, 0), 0);
    join(waiter);
    CHECK_EQ(result, 0);
    CHECK_EQ(lock, 0);

    // A plain wake is not for such a waiter.
    waiter_tid = 0;
    waiter = start(wait_for_condition, NULL);
    until_waiting();
    CHECK_ERR(futex(&condition, FUTEX_WAKE | private, 1, NULL, NULL, 0), EINVAL);
    CHECK_EQ(futex(&condition, FUTEX_CMP_REQUEUE_PI | private, 1, NULL, &lock, 0), 1);
    join(waiter);
}

int main(void) {
    for (int i = 0; i < 2; i++) {
        private = i == 0 ? FUTEX_PRIVATE_FLAG : 0;
        handover(FUTEX_LOCK_PI);
        handover(FUTEX_LOCK_PI2);
        owners();
        dead_owner();
        requeue();
    }
    return CHECK_DONE();
}
