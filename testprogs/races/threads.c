// cflags: -pthread
// Threads made and joined fast, by several at once: what one left in registers, variables or signal
// masks is nothing to the next, whichever vCPU it gets.
#include "check.h"
#include "races/races.h"

#define MAKERS 3
#define TURNS 60

static __thread long variable = 17;
static atomic_int handled;

static void on_signal(int signal) {
    (void)signal;
    handled++;
}

static void *be(void *arg) {
    long number = (long)arg;
    double halves;
    stack_t stack;
    sigset_t mask;
    REQUIRE(variable == 17);
    REQUIRE(pthread_sigmask(SIG_BLOCK, NULL, &mask) == 0 && !sigismember(&mask, SIGUSR2));
    REQUIRE(sigaltstack(NULL, &stack) == 0 && stack.ss_flags == SS_DISABLE);
    // The rounding mode is the maker's: to the nearest.
    unsigned mxcsr;
    __asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
    REQUIRE((mxcsr & 0xffc0) == 0x1f80);
    halves = (double)number / 2;
    variable = number;
    mxcsr = 0x7f80;
    __asm__ volatile("ldmxcsr %0" ::"m"(mxcsr));
    __asm__ volatile("pcmpeqd %%xmm15, %%xmm15\nmovdqa %%xmm15, %%xmm8" ::: "xmm8", "xmm15");
    static __thread char alternate[16384];
    REQUIRE(sigaltstack(&(stack_t){.ss_sp = alternate, .ss_size = sizeof alternate}, NULL) == 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &mask, NULL) == 0);
    if (number % 5 == 0)
        REQUIRE(pthread_kill(pthread_self(), SIGUSR1) == 0);
    REQUIRE(variable == number && halves * 2 == (double)number);
    return (void *)(number * 3);
}

static void *make(void *arg) {
    for (long i = 0; i < TURNS; i += 3) {
        pthread_t threads[3];
        for (long k = 0; k < 3; k++)
            threads[k] = start(be, (void *)(i + k));
        for (long k = 0; k < 3; k++)
            REQUIRE(join(threads[k]) == (void *)((i + k) * 3));
    }
    return arg;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    while (next_round(argc, argv)) {
        pthread_t makers[MAKERS];
        handled = 0;
        for (int i = 0; i < MAKERS; i++)
            makers[i] = start(make, NULL);
        for (int i = 0; i < MAKERS; i++)
            join(makers[i]);
        REQUIRE(handled == MAKERS * TURNS / 5);
    }
    return races_done();
}
