// signal(7): real-time signals queue: as many handlers run as signals were sent, in the order of numbers, then of sending.
#include "check.h"
#include "signals.h"

enum { EACH = 100 };
static int values[8 * EACH], numbers[8 * EACH];
static volatile int count;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)context;
    numbers[count] = signal;
    values[count] = info->si_value.sival_int;
    count++;
}

int main(void) {
    unsigned long all = 0;
    for (int s = SIGRTMIN; s < SIGRTMIN + 4; s++) {
        struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
        sigfillset(&action.sa_mask);
        CHECK_OK(sigaction(s, &action, NULL));
        all |= bit(s);
    }
    set_mask(all);
    int bad = 0;
    for (int i = 0; i < EACH; i++)
        for (int s = SIGRTMIN + 3; s >= SIGRTMIN; s--)
            bad += sigqueue(getpid(), s, (union sigval){.sival_int = i}) != 0;
    CHECK_EQ(bad, 0);
    CHECK_EQ(count, 0);
    set_mask(0);
    CHECK_EQ(count, 4 * EACH);
    for (int i = 0; i < count; i++)
        bad += numbers[i] != SIGRTMIN + i / EACH || values[i] != i % EACH;
    CHECK_EQ(bad, 0);
    CHECK_EQ(mask_now(), 0);

    // Unblocked, each comes before the call that sent it returns.
    count = 0;
    for (int i = 0; i < EACH; i++) {
        sigqueue(getpid(), SIGRTMIN + i % 4, (union sigval){.sival_int = i});
        bad += count != i + 1 || values[i] != i;
    }
    CHECK_EQ(bad, 0);
    return CHECK_DONE();
}
