// sigaction(2): what is blocked while a handler runs, and what is afterwards.
#include "check.h"
#include "signals.h"

static volatile unsigned long inside, saved;
static volatile int depth, deepest, change, raises;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)info;
    ucontext_t *uc = context;
    inside = mask_now();
    saved = *(unsigned long *)&uc->uc_sigmask;
    if (++depth > deepest)
        deepest = depth;
    if (raises > 0) {
        raises--;
        raise(signal);
    }
    if (change)
        sigaddset(&uc->uc_sigmask, SIGHUP);
    depth--;
}

int main(void) {
    set_mask(bit(SIGTERM));
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigaddset(&action.sa_mask, SIGUSR2);
    sigaddset(&action.sa_mask, SIGKILL);
    CHECK_OK(sigaction(SIGUSR1, &action, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(inside, bit(SIGTERM) | bit(SIGUSR1) | bit(SIGUSR2));
    CHECK_EQ(saved, bit(SIGTERM));
    CHECK_EQ(mask_now(), bit(SIGTERM));

    // The signal itself is blocked, so it comes when the handler is done.
    deepest = 0;
    raises = 2;
    CHECK_OK(raise(SIGUSR1));
    CHECK(deepest == 1 && raises == 0);
    signal(SIGUSR1, SIG_IGN);

    action.sa_flags |= SA_NODEFER;
    CHECK_OK(sigaction(SIGHUP, &action, NULL));
    deepest = 0;
    raises = 2;
    CHECK_OK(raise(SIGHUP));
    CHECK_EQ(deepest, 3);
    CHECK_EQ(mask_now(), bit(SIGTERM));
    CHECK_OK(raise(SIGHUP));
    CHECK_EQ(inside, bit(SIGTERM) | bit(SIGUSR2));

    // What the handler writes to the frame is what is blocked afterwards.
    change = 1;
    CHECK_OK(raise(SIGHUP));
    CHECK_EQ(mask_now(), bit(SIGTERM) | bit(SIGHUP));
    deepest = 0;
    CHECK_OK(raise(SIGHUP));
    CHECK_EQ(deepest, 0);
    change = 0;
    // A pending signal comes before the call that lets it in returns.
    set_mask(0);
    CHECK_EQ(deepest, 1);
    CHECK_EQ(saved, 0);
    return CHECK_DONE();
}
