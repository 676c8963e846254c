// The stack grows to its limit and not beyond: endless recursion is SIGSEGV. setrlimit(2).
#include "mem/mem.h"

// Uses about `kilobytes` of stack. The bytes make the calls differ, so that no compiler folds them.
static __attribute__((noinline)) int recurse(int kilobytes) {
    volatile char block[1024];
    block[0] = block[1023] = (char)kilobytes;
    int below = kilobytes == 0 ? 0 : recurse(kilobytes - 1);
    return below + (block[0] == block[1023]);
}

int main(void) {
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
    limit.rlim_cur = 2 << 20;
    CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
    CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
    CHECK_EQ(limit.rlim_cur, 2 << 20);
    CHECK_ERR(syscall(SYS_getrlimit, 99, &limit), EINVAL);
    CHECK_EQ(recurse(1024), 1025);
    CHECK_EQ(recurse(1024), 1025);
    CHECK_DEATH(SIGSEGV, recurse(-1));
}
