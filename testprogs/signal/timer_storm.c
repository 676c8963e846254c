// A timer of 1 kHz and signals to oneself while the program computes and makes system calls: results are right, no signal
// of the queue is lost or doubled.
#include "check.h"
#include "signals.h"

static volatile unsigned long ticks, received, sum, sent_from_ticks;
static volatile int out_of_order;
static int ends[2];

static void on_tick(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    volatile double x = 1;
    for (int i = 0; i < 20; i++)
        x = x * 1.5 + i;
    ticks++;
    if (sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = (int)sent_from_ticks}) == 0)
        sent_from_ticks++;
}

static void on_queued(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    static int next;
    out_of_order += info->si_value.sival_int != next++;
    received++;
    sum += (unsigned long)info->si_value.sival_int;
}

static unsigned long compute(unsigned long seed) {
    unsigned long hash = seed;
    double f = 1;
    for (int i = 0; i < 200000; i++) {
        hash = (hash ^ (unsigned long)i) * 1099511628211ul;
        hash ^= hash >> 29;
        f = f * 1.0000001 + 0.5;
    }
    return hash ^ (unsigned long)(f * 1000);
}

int main(void) {
    unsigned long expected[4];
    for (int i = 0; i < 4; i++)
        expected[i] = compute((unsigned long)i);
    CHECK_OK(pipe(ends));
    CHECK_OK(install(SIGALRM, on_tick, SA_RESTART));
    CHECK_OK(install(SIGRTMIN, on_queued, SA_RESTART));
    alarm_every(1, 1);
    int wrong = 0, calls = 0;
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        for (int i = 0; i < 4; i++)
            wrong += compute((unsigned long)i) != expected[i];
        for (int i = 0; i < 200; i++) {
            char byte = (char)i, back = 0;
            calls += write(ends[1], &byte, 1) != 1 || read(ends[0], &back, 1) != 1 || back != byte;
            calls += getpid() != gettid();
            calls += syscall(SYS_getppid) == -1;
        }
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while (ticks < 500 && now.tv_sec - start.tv_sec < 8);
    alarm_every(0, 0);
    while (received < sent_from_ticks && now.tv_sec - start.tv_sec < 10)
        clock_gettime(CLOCK_MONOTONIC, &now);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(calls, 0);
    CHECK(ticks >= 100);
    CHECK_EQ(received, sent_from_ticks);
    CHECK_EQ(sum, received * (received - 1) / 2);
    CHECK_EQ(out_of_order, 0);
    CHECK_EQ(mask_now(), 0);
    return CHECK_DONE();
}
