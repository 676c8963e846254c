// A fault whose signal is ignored kills.
#include "check.h"
#include "signals.h"

int main(void) {
    CHECK_EQ(signal(SIGFPE, SIG_IGN), SIG_DFL);
    CHECK_OK(raise(SIGFPE));
    CHECK_OK(kill(getpid(), SIGFPE));
    CHECK_EQ(signal(SIGFPE, SIG_IGN), SIG_IGN);
    CHECK_EQ(mask_now(), 0);
    volatile int zero = 0;
    CHECK_DEATH(SIGFPE, zero = 7 / zero);
}
