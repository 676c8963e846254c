// cflags: -pthread
// All operations of futex(2) but those on priority-inheritance locks: who is woken, by how many, when,
// and with which error.
#include "check.h"
#include "threads/threads.h"

#define WAITERS 6

static atomic_uint word, other;
static atomic_int woken;
static atomic_int tids[WAITERS];

struct wait {
    int op;
    unsigned value3;
    long result;
    int error;
    pthread_t thread;
    atomic_uint *at;
    const struct timespec *timeout;
};

static void *wait_in_futex(void *arg) {
    struct wait *wait = arg;
    int number = (int)(wait->value3 >> 16 & 7);
    unsigned value3 = wait->value3 & 0xffff;
    tids[number] = gettid();
    wait->result = futex(wait->at, wait->op, *wait->at, wait->timeout, NULL, value3 ? value3 : ~0u);
    wait->error = wait->result < 0 ? errno : 0;
    woken++;
    return NULL;
}

static struct wait waits[WAITERS];

// Makes `count` threads wait for `word`, the i-th for bit i, and waits until they do.
static void let_wait(int count, int op) {
    woken = 0;
    for (int i = 0; i < count; i++) {
        unsigned bits = (op & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET ? 1u << i : 0;
        waits[i] = (struct wait){.op = op, .value3 = bits | (unsigned)i << 16, .at = &word};
        tids[i] = 0;
        waits[i].thread = start(wait_in_futex, &waits[i]);
        while (tids[i] == 0)
            sched_yield();
        until_asleep(getpid(), tids[i]);
    }
}

static void until_woken(int count) {
    while (woken < count)
        sleep_ms(1);
    sleep_ms(5);
    CHECK_EQ(woken, count);
}

static void join_all(int count) {
    for (int i = 0; i < count; i++) {
        join(waits[i].thread);
        REQUIRE(waits[i].result == 0);
    }
}

static void wake_and_requeue(int private) {
    let_wait(4, FUTEX_WAIT | private);
    CHECK_EQ(futex(&other, FUTEX_WAKE | private, 10, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 1, NULL, NULL, 0), 1);
    until_woken(1);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 2, NULL, NULL, 0), 2);
    until_woken(3);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 10, NULL, NULL, 0), 1);
    join_all(4);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 10, NULL, NULL, 0), 0);

    let_wait(5, FUTEX_WAIT | private);
    CHECK_ERR(futex(&word, FUTEX_CMP_REQUEUE | private, 1, (void *)2, &other, word + 1), EAGAIN);
    CHECK_EQ(futex(&word, FUTEX_CMP_REQUEUE | private, 1, (void *)2, &other, word), 3);
    until_woken(1);
    CHECK_EQ(futex(&other, FUTEX_WAKE | private, 1, NULL, NULL, 0), 1);
    until_woken(2);
    CHECK_EQ(futex(&word, FUTEX_REQUEUE | private, 0, (void *)10, &other, 0), 2);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 10, NULL, NULL, 0), 0);
    CHECK_EQ(futex(&other, FUTEX_WAKE | private, 10, NULL, NULL, 0), 3);
    join_all(5);
}

static void bit_sets(int private) {
    let_wait(5, FUTEX_WAIT_BITSET | private);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | private, 10, NULL, NULL, 1 << 9), 0);
    CHECK_ERR(futex(&word, FUTEX_WAKE_BITSET | private, 10, NULL, NULL, 0), EINVAL);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | private, 10, NULL, NULL, 1 << 3), 1);
    until_woken(1);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | private, 1, NULL, NULL, 1 << 3 | 1 << 1 | 1 << 4), 1);
    until_woken(2);
    CHECK_EQ(futex(&word, FUTEX_WAKE_BITSET | private, 10, NULL, NULL, ~1u), 2);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 10, NULL, NULL, 0), 1);
    join_all(5);
}

// Wakes at one word, and at a second one if its old value compares.
static void wake_op(int private) {
    static const struct { int op, argument, compare, compared; unsigned before, after; bool also; } cases[] = {
        {FUTEX_OP_SET, 7, FUTEX_OP_CMP_EQ, 3, 3, 7, true},
        {FUTEX_OP_SET, 7, FUTEX_OP_CMP_NE, 3, 3, 7, false},
        {FUTEX_OP_ADD, -1, FUTEX_OP_CMP_GT, 0, 5, 4, true},
        {FUTEX_OP_OR, 6, FUTEX_OP_CMP_LT, 9, 9, 15, false},
        {FUTEX_OP_ANDN, 6, FUTEX_OP_CMP_LE, 15, 15, 9, true},
        {FUTEX_OP_XOR, 1, FUTEX_OP_CMP_GE, -1, 3, 2, true},
        {FUTEX_OP_OR | FUTEX_OP_OPARG_SHIFT, 5, FUTEX_OP_CMP_EQ, 1, 0, 32, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        let_wait(2, FUTEX_WAIT | private);
        CHECK_EQ(futex(&word, FUTEX_REQUEUE | private, 0, (void *)1, &other, 0), 1);
        other = cases[i].before;
        int encoded = FUTEX_OP(cases[i].op, cases[i].argument, cases[i].compare, cases[i].compared);
        CHECK_EQ(futex(&word, FUTEX_WAKE_OP | private, 5, (void *)5, &other, (unsigned)encoded), 1 + cases[i].also);
        CHECK_EQ(other, cases[i].after);
        CHECK_EQ(futex(&other, FUTEX_WAKE | private, 5, NULL, NULL, 0), !cases[i].also);
        join_all(2);
    }
    CHECK_ERR(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, &other, 0x70000000), ENOSYS);
    CHECK_ERR(futex(&word, FUTEX_WAKE_OP | private, 1, (void *)1, NULL, 0), EFAULT);
}

static struct timespec in_ms(clockid_t clock, long milliseconds) {
    struct timespec at;
    clock_gettime(clock, &at);
    at.tv_nsec += milliseconds * 1000000;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    return at;
}

static void timeouts(int private) {
    struct timespec at = in_ms(CLOCK_MONOTONIC, 30);
    double before = now();
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | private, word, &at, NULL, 1), ETIMEDOUT);
    CHECK(now() - before >= 0.03);
    at = in_ms(CLOCK_REALTIME, 30);
    CHECK_ERR(futex(&word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME | private, word, &at, NULL, 1), ETIMEDOUT);
    before = now();
    CHECK_ERR(futex(&word, FUTEX_WAIT | private, word, &(struct timespec){0, 30000000}, NULL, 0), ETIMEDOUT);
    CHECK(now() - before >= 0.03);
    CHECK_ERR(futex(&word, FUTEX_WAIT | FUTEX_CLOCK_REALTIME | private, word,
                    &(struct timespec){0, 1000000}, NULL, 0), ENOSYS);
    CHECK_ERR(futex(&word, FUTEX_WAIT | private, word, &(struct timespec){-1, 0}, NULL, 0), EINVAL);
    CHECK_ERR(futex(&word, FUTEX_WAIT | private, word, (void *)8, NULL, 0), EFAULT);
    // One that is far away does not keep a wake from coming.
    static struct timespec far;
    far = in_ms(CLOCK_MONOTONIC, 3600000);
    waits[0] = (struct wait){.op = FUTEX_WAIT_BITSET | private, .at = &word, .timeout = &far};
    tids[0] = 0;
    waits[0].thread = start(wait_in_futex, &waits[0]);
    while (tids[0] == 0)
        sched_yield();
    until_asleep(getpid(), tids[0]);
    CHECK_EQ(futex(&word, FUTEX_WAKE | private, 1, NULL, NULL, 0), 1);
    join_all(1);
}

static atomic_int handled;

static void on_signal(int signal) {
    (void)signal;
    handled++;
}

// A wait without time limit starts again after a handler that restarts calls; others end.
static void signals(int private) {
    static struct timespec limit;
    limit = (struct timespec){3600, 0};
    for (int restarts = 0; restarts < 2; restarts++)
        for (int limited = 0; limited < 2; limited++) {
            struct sigaction action = {.sa_handler = on_signal, .sa_flags = restarts ? SA_RESTART : 0};
            sigaction(SIGUSR1, &action, NULL);
            handled = woken = tids[0] = 0;
            waits[0] = (struct wait){.op = FUTEX_WAIT | private, .at = &word, .timeout = limited ? &limit : NULL};
            waits[0].thread = start(wait_in_futex, &waits[0]);
            while (tids[0] == 0)
                sched_yield();
            until_asleep(getpid(), tids[0]);
            pthread_kill(waits[0].thread, SIGUSR1);
            while (handled == 0)
                sched_yield();
            bool again = restarts && !limited;
            if (again) {
                until_asleep(getpid(), tids[0]);
                CHECK_EQ(futex(&word, FUTEX_WAKE | private, 1, NULL, NULL, 0), 1);
            }
            join(waits[0].thread);
            CHECK_EQ(waits[0].result, again ? 0 : -1);
            CHECK_EQ(waits[0].error, again ? 0 : EINTR);
        }
}

// A word in shared memory, and processes instead of threads.
static void shared(void) {
    atomic_uint *at = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    pid_t children[3];
    for (int i = 0; i < 3; i++) {
        children[i] = fork();
        if (children[i] == 0)
            _exit(futex(at, FUTEX_WAIT, 0, NULL, NULL, 0) == 0 ? 3 : 4);
        until_asleep(children[i], children[i]);
    }
    // A private futex of the same address is another one.
    CHECK_EQ(futex(at, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0), 0);
    CHECK_EQ(futex(at, FUTEX_REQUEUE, 0, (void *)1, at + 16, 0), 1);
    CHECK_EQ(futex(at + 16, FUTEX_WAKE, 10, NULL, NULL, 0), 1);
    CHECK_EQ(futex(at, FUTEX_WAKE, 10, NULL, NULL, 0), 2);
    for (int i = 0; i < 3; i++) {
        int status;
        CHECK_EQ(waitpid(children[i], &status, 0), children[i]);
        CHECK_EQ(WEXITSTATUS(status), 3);
    }
    // Private memory is not shared with a child, whatever the operation says.
    pid_t child = fork();
    if (child == 0)
        _exit(futex(&word, FUTEX_WAIT, word, &(struct timespec){0, 300000000}, NULL, 0) == 0 ? 3 : errno);
    until_asleep(child, child);
    CHECK_EQ(futex(&word, FUTEX_WAKE, 10, NULL, NULL, 0), 0);
    int status;
    waitpid(child, &status, 0);
    CHECK_EQ(WEXITSTATUS(status), ETIMEDOUT);
    // The page of a file is one place, wherever it is mapped.
    int fd = CHECK_OK(memfd_create("words", 0));
    CHECK_OK(ftruncate(fd, 4096));
    atomic_uint *one = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    atomic_uint *two = CHECK_OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    waits[0] = (struct wait){.op = FUTEX_WAIT, .at = one};
    tids[0] = 0;
    waits[0].thread = start(wait_in_futex, &waits[0]);
    while (tids[0] == 0)
        sched_yield();
    until_asleep(getpid(), tids[0]);
    CHECK_EQ(futex(two, FUTEX_WAKE, 1, NULL, NULL, 0), 1);
    join_all(1);
}

int main(void) {
    static const int kinds[] = {0, FUTEX_PRIVATE_FLAG};
    for (int i = 0; i < 2; i++) {
        wake_and_requeue(kinds[i]);
        bit_sets(kinds[i]);
        timeouts(kinds[i]);
        signals(kinds[i]);
    }
    wake_op(FUTEX_PRIVATE_FLAG);
    shared();
    return CHECK_DONE();
}
