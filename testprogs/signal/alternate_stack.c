// sigaltstack(2): handlers on the alternate stack, what they see of it, and SS_AUTODISARM.
#include "check.h"
#include "signals.h"

#ifndef SS_AUTODISARM
#define SS_AUTODISARM (1u << 31)
#endif

static char room[65536] __attribute__((aligned(16)));
static volatile int was_on, error, nested_was_on, disarmed;
static volatile unsigned flags_inside, saved_flags;

static bool on_room(void) {
    char *here = __builtin_frame_address(0);
    return here >= room && here < room + sizeof room;
}

static void nested(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    nested_was_on = on_room();
}

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    ucontext_t *uc = context;
    stack_t now, other = {.ss_sp = room, .ss_size = sizeof room};
    was_on = on_room();
    syscall(SYS_sigaltstack, NULL, &now);
    flags_inside = (unsigned)now.ss_flags;
    saved_flags = (unsigned)uc->uc_stack.ss_flags;
    disarmed = now.ss_size == 0;
    other.ss_size = disarmed ? 0 : sizeof room;
    error = sigaltstack(&other, NULL) == 0 ? 0 : errno;
    raise(SIGUSR2);
}

int main(void) {
    stack_t stack = {.ss_sp = room, .ss_size = sizeof room}, now;
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGUSR1, handler, SA_ONSTACK));
    CHECK_OK(install(SIGUSR2, nested, SA_ONSTACK));
    CHECK_OK(raise(SIGUSR1));
    CHECK(was_on && nested_was_on);
    CHECK_EQ(flags_inside, SS_ONSTACK);
    CHECK_EQ(error, EPERM);
    CHECK_EQ(saved_flags, 0);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK(now.ss_flags == 0 && now.ss_sp == room);

    // Without SA_ONSTACK a handler stays where the interrupted code was.
    CHECK_OK(install(SIGUSR2, nested, 0));
    CHECK_OK(raise(SIGUSR2));
    CHECK(!nested_was_on);
    CHECK_OK(raise(SIGUSR1));
    CHECK(nested_was_on);
    CHECK_OK(install(SIGUSR1, handler, 0));
    CHECK_OK(raise(SIGUSR1));
    CHECK(!was_on && flags_inside == 0 && error == 0 && !disarmed);

    // One that disarms itself is not there while the handler runs, and back afterwards.
    stack.ss_flags = (int)SS_AUTODISARM;
    CHECK_OK(sigaltstack(&stack, NULL));
    CHECK_OK(install(SIGUSR1, handler, SA_ONSTACK));
    CHECK_OK(raise(SIGUSR1));
    CHECK(was_on && disarmed && error == ENOMEM);
    CHECK_EQ(flags_inside, SS_DISABLE);
    CHECK_EQ(saved_flags, SS_AUTODISARM);
    CHECK_OK(sigaltstack(NULL, &now));
    CHECK(now.ss_sp == room && now.ss_size == sizeof room && now.ss_flags == (int)SS_AUTODISARM);
    CHECK_OK(sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL));
    CHECK_OK(raise(SIGUSR1));
    CHECK(!was_on);
    return CHECK_DONE();
}
