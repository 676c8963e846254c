// cflags: -pthread
// futex_waitv(2), and futex_wake, futex_wait and futex_requeue, where the kernel has them.
#include "check.h"
#include "threads/threads.h"

#define NR_WAITV 449
#define NR_WAKE 454
#define NR_WAIT 455
#define NR_REQUEUE 456
#define SIZE_32 2u
#define PRIVATE 128u

struct waiter {
    uint64_t value, address;
    uint32_t flags, reserved;
};

static atomic_uint words[130];
static struct waiter waiters[130];
static atomic_int tid;
static atomic_long result;

static void aim(unsigned flags) {
    for (int i = 0; i < 130; i++)
        waiters[i] = (struct waiter){0, (uint64_t)&words[i], SIZE_32 | flags, 0};
}

static long waitv(unsigned count, unsigned flags, struct timespec *timeout, int clock) {
    return syscall(NR_WAITV, waiters, count, flags, timeout, clock);
}

static void *wait_on_all(void *count) {
    tid = gettid();
    long index = waitv((unsigned)(long)count, 0, NULL, 0);
    result = index < 0 ? -errno : index;
    return NULL;
}

static void *wait_on_one(void *arg) {
    tid = gettid();
    long got = syscall(NR_WAIT, &words[3], 0l, 0xff0l, SIZE_32 | PRIVATE, NULL, 0);
    result = got < 0 ? -errno : got;
    return arg;
}

static pthread_t start_waiting(void *(*run)(void *), long arg) {
    tid = 0;
    pthread_t thread = start(run, (void *)arg);
    while (tid == 0)
        sched_yield();
    until_asleep(getpid(), tid);
    return thread;
}

static void several(unsigned private, int private_flag) {
    struct timespec at;
    aim(private);
    for (int woken = 0; woken < 128; woken += 63) {
        pthread_t thread = start_waiting(wait_on_all, 128);
        CHECK_EQ(futex(&words[128], FUTEX_WAKE | private_flag, 1, NULL, NULL, 0), 0);
        CHECK_EQ(futex(&words[woken], FUTEX_WAKE | private_flag, 1, NULL, NULL, 0), 1);
        join(thread);
        CHECK_EQ(result, woken);
    }
    words[5] = 1;
    CHECK_ERR(waitv(10, 0, NULL, 0), EAGAIN);
    words[5] = 0;
    clock_gettime(CLOCK_MONOTONIC, &at);
    CHECK_ERR(waitv(10, 0, &at, CLOCK_MONOTONIC), ETIMEDOUT);
    clock_gettime(CLOCK_REALTIME, &at);
    CHECK_ERR(waitv(10, 0, &at, CLOCK_REALTIME), ETIMEDOUT);
    CHECK_ERR(waitv(10, 0, &at, CLOCK_BOOTTIME), EINVAL);
    CHECK_ERR(waitv(10, 1, NULL, 0), EINVAL);
    CHECK_ERR(waitv(0, 0, NULL, 0), EINVAL);
    CHECK_ERR(waitv(129, 0, NULL, 0), EINVAL);
    waiters[4].reserved = 1;
    CHECK_ERR(waitv(10, 0, NULL, 0), EINVAL);
    aim(private);
    waiters[4].flags = 0x40;
    CHECK_ERR(waitv(10, 0, NULL, 0), EINVAL);
    aim(private);
    waiters[9].address += 2;
    CHECK_ERR(waitv(10, 0, NULL, 0), EINVAL);
    waiters[9].address = 0;
    CHECK_ERR(waitv(10, 0, NULL, 0), EFAULT);
    CHECK_ERR(syscall(NR_WAITV, NULL, 1, 0, NULL, 0), EINVAL);
    CHECK_ERR(syscall(NR_WAITV, (void *)8, 1, 0, NULL, 0), EFAULT);
}

static void newer_calls(void) {
    pthread_t thread = start_waiting(wait_on_one, 0);
    CHECK_EQ(syscall(NR_WAKE, &words[3], 0xfl, 1, SIZE_32 | PRIVATE), 0);
    CHECK_EQ(syscall(NR_WAKE, &words[3], 0x1fl, 1, SIZE_32 | PRIVATE), 1);
    join(thread);
    CHECK_EQ(result, 0);
    CHECK_ERR(syscall(NR_WAKE, &words[3], 0l, 1, SIZE_32), EINVAL);
    CHECK_ERR(syscall(NR_WAKE, &words[3], 1l, 1, 0x100), EINVAL);
    CHECK_ERR(syscall(NR_WAIT, &words[3], 1l, 1l, SIZE_32, NULL, 0), EAGAIN);
    CHECK_ERR(syscall(NR_WAIT, &words[3], 0x100000000l, 1l, SIZE_32, NULL, 0), EINVAL);
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    CHECK_ERR(syscall(NR_WAIT, &words[3], 0l, 1l, SIZE_32, &at, CLOCK_MONOTONIC), ETIMEDOUT);
    thread = start_waiting(wait_on_one, 0);
    aim(PRIVATE);
    CHECK_ERR(syscall(NR_REQUEUE, &waiters[3], 1, 0, 1), EINVAL);
    waiters[3].value = 1;
    CHECK_ERR(syscall(NR_REQUEUE, &waiters[3], 0, 0, 1), EAGAIN);
    waiters[3].value = 0;
    CHECK_EQ(syscall(NR_REQUEUE, &waiters[3], 0, 0, 1), 1);
    CHECK_EQ(syscall(NR_WAKE, &words[3], 0xff0l, 1, SIZE_32 | PRIVATE), 0);
    CHECK_EQ(syscall(NR_WAKE, &words[4], 0xff0l, 1, SIZE_32 | PRIVATE), 1);
    join(thread);
}

int main(void) {
    if (waitv(0, 0, NULL, 0) == -1 && errno == ENOSYS) {
        printf("skip: this kernel has no futex_waitv\n");
        return 0;
    }
    several(0, 0);
    several(PRIVATE, FUTEX_PRIVATE_FLAG);
    if (syscall(NR_WAKE, &words[3], 1l, 0, SIZE_32) == -1 && errno == ENOSYS)
        printf("no futex_wake\n");
    else
        newer_calls();
    return CHECK_DONE();
}
