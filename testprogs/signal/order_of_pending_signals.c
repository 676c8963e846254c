// signal(7): several pending signals are let in at once: frames are pushed in the order of their numbers, so that the
// handler of the last one runs first.
#include "check.h"
#include "signals.h"

static int order[32];
static volatile int count;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    order[count++] = signal;
}

static void all_at_once(int mask_all) {
    static const int signals[] = {SIGUSR2, SIGHUP, SIGTERM, SIGUSR1, SIGSEGV, SIGALRM};
    count = 0;
    set_mask(~0ul);
    for (int i = 0; i < 6; i++) {
        struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
        if (mask_all)
            sigfillset(&action.sa_mask);
        sigaction(signals[i], &action, NULL);
        kill(getpid(), signals[i]);
        kill(getpid(), signals[i]);
    }
    set_mask(0);
}

int main(void) {
    all_at_once(0);
    CHECK_EQ(count, 6);
    CHECK_EQ(mask_now(), 0);
    for (int i = 0; i < count; i++)
        NOTE("handler %d: signal %d", i, order[i]);
    // Where each handler blocks all others, they run one after the other.
    all_at_once(1);
    CHECK_EQ(count, 6);
    CHECK_EQ(mask_now(), 0);
    for (int i = 0; i < count; i++)
        NOTE("handler %d: signal %d", i, order[i]);
    int bad = 0;
    // Those of the processor come first.
    CHECK_EQ(order[0], SIGSEGV);
    for (int i = 2; i < count; i++)
        bad += order[i - 1] >= order[i];
    CHECK_EQ(bad, 0);
    return CHECK_DONE();
}
