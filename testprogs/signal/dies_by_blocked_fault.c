// A fault whose signal is blocked kills, whatever handler there is.
#include "check.h"
#include "signals.h"

static void handler(int signal) {
    (void)signal;
    _exit(9);
}

int main(void) {
    CHECK_EQ(signal(SIGSEGV, handler), SIG_DFL);
    set_mask(bit(SIGSEGV));
    CHECK_OK(raise(SIGSEGV));
    CHECK_EQ(mask_now(), bit(SIGSEGV));
    sigset_t pending;
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGSEGV), 1);
    CHECK_DEATH(SIGSEGV, *(volatile int *)8 = 1);
}
