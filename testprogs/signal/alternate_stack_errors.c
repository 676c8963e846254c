// sigaltstack(2): errors, and what stays after them.
#include "check.h"
#include "signals.h"

static char room[32768];

int main(void) {
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room}, now;
    CHECK_OK(sigaltstack(&stack, NULL));
    stack.ss_size = 2047;
    CHECK_ERR(sigaltstack(&stack, &now), ENOMEM);
    stack.ss_flags = 4;
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    stack.ss_flags = SS_ONSTACK | SS_DISABLE;
    CHECK_ERR(sigaltstack(&stack, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_sigaltstack, 8L, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_sigaltstack, NULL, 8L), EFAULT);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK(now.ss_sp == room && now.ss_size == sizeof room && now.ss_flags == 0);
    // Set, although the old one cannot be written.
    stack = (stack_t){.ss_sp = room, .ss_size = 4096, .ss_flags = SS_ONSTACK};
    CHECK_ERR(syscall(SYS_sigaltstack, &stack, 8L), EFAULT);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK_EQ(now.ss_size, 4096);
    stack = (stack_t){.ss_sp = room, .ss_size = 1, .ss_flags = SS_DISABLE};
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK(now.ss_flags == SS_DISABLE && now.ss_size == 0 && now.ss_sp == NULL);
    CHECK_OK(syscall(SYS_sigaltstack, NULL, NULL));
    return CHECK_DONE();
}
