// A second fault in the handler of the first kills, for its signal is blocked there.
#include "check.h"
#include "signals.h"

static volatile int count;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    if (++count > 1)
        _exit(9);
    CHECK_EQ(count, 1);
    CHECK(mask_now() & bit(SIGSEGV));
    CHECK_DONE();
    *(volatile int *)16 = 1;
}

int main(void) {
    CHECK_OK(install(SIGSEGV, handler, 0));
    CHECK_EQ(mask_now(), 0);
    CHECK_EQ(count, 0);
    CHECK_DEATH(SIGSEGV, *(volatile int *)8 = 1);
}
