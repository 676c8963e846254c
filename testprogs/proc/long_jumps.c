// setjmp(3), makecontext(3): jumps across frames, and stacks of the program's own making.
#include "check.h"

#include <setjmp.h>
#include <signal.h>
#include <ucontext.h>

static jmp_buf target;
static ucontext_t main_context, coroutine;
static int steps;

__attribute__((noinline)) static int dive(int depth) {
    volatile char room[1000];
    room[0] = (char)depth;
    if (depth == 0)
        longjmp(target, 7);
    return depth < 0 ? 0 : dive(depth - 1) + room[0];
}

static void generator(void) {
    for (int i = 0; i < 3; i++) {
        steps = i + 1;
        swapcontext(&coroutine, &main_context);
    }
}

int main(void) {
    volatile int visits = 0;
    int value = setjmp(target);
    visits++;
    if (value == 0)
        dive(500);
    CHECK_EQ(value, 7);
    CHECK_EQ(visits, 2);
    if ((value = setjmp(target)) == 0)
        longjmp(target, 0);
    CHECK_EQ(value, 1);

    // sigsetjmp keeps the signal mask.
    sigset_t set, now;
    sigemptyset(&set);
    CHECK_OK(sigprocmask(SIG_SETMASK, &set, NULL));
    sigjmp_buf with_mask;
    if (sigsetjmp(with_mask, 1) == 0) {
        sigaddset(&set, SIGUSR1);
        sigprocmask(SIG_SETMASK, &set, NULL);
        siglongjmp(with_mask, 1);
    }
    CHECK_OK(sigprocmask(SIG_BLOCK, NULL, &now));
    CHECK_EQ(sigismember(&now, SIGUSR1), 0);
    CHECK_ERR(sigprocmask(9, &set, NULL), EINVAL);

    static char stack[65536];
    CHECK_OK(getcontext(&coroutine));
    coroutine.uc_stack.ss_sp = stack;
    coroutine.uc_stack.ss_size = sizeof stack;
    coroutine.uc_link = &main_context;
    makecontext(&coroutine, generator, 0);
    for (int i = 1; i <= 3; i++) {
        CHECK_OK(swapcontext(&main_context, &coroutine));
        CHECK_EQ(steps, i);
    }
    return CHECK_DONE();
}
