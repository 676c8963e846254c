// cflags: -Wno-infinite-recursion
// sigaltstack(2): a handler on the alternate stack survives an overflow of the stack, again and again.
#include "check.h"
#include "signals.h"

#include <sys/resource.h>

static sigjmp_buf back;
static char room[65536];
static volatile int count, code;
static volatile uintptr_t where, rsp;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal;
    count++;
    code = info->si_code;
    where = (uintptr_t)info->si_addr;
    rsp = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RSP];
    siglongjmp(back, 1);
}

__attribute__((noinline)) static int deeper(volatile char *above) {
    volatile char here[512];
    here[0] = above[0];
    return deeper(here) + here[0];
}

int main(void) {
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room};
    struct rlimit limit = {1 << 20, 1 << 20};
    CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGSEGV, handler, SA_ONSTACK));
    for (int i = 1; i <= 3; i++) {
        volatile char first[1] = {1};
        if (sigsetjmp(back, 1) == 0)
            deeper(first);
        CHECK_EQ(count, i);
        CHECK(code == SEGV_MAPERR || code == SEGV_ACCERR);
        CHECK(where - rsp + 65536 < 131072);
    }
    return CHECK_DONE();
}
