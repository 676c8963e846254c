// What the signal programs share. Include it after check.h.
#ifndef SIGNALS_H
#define SIGNALS_H

#include <setjmp.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

typedef void handler_function(int signal, siginfo_t *info, void *context);

// The kernel's struct sigaction.
struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void *restorer;
    unsigned long mask;
};

static inline int install(int signal, handler_function *handler, int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    return sigaction(signal, &action, NULL);
}

// The mask as the kernel has it: what the C library uses itself is not left out.
static inline unsigned long mask_now(void) {
    unsigned long mask = 0;
    syscall(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &mask, 8L);
    return mask;
}

static inline unsigned long bit(int signal) { return 1ul << (signal - 1); }

static inline void set_mask(unsigned long mask) {
    syscall(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, 8L);
}

// SIGALRM after `milliseconds`, and then every `again` ones: a call that has to be interrupted asks for more
// than one, for the first may come before the call has begun.
static inline void alarm_every(int milliseconds, int again) {
    struct itimerval value = {{0, again * 1000}, {milliseconds / 1000, milliseconds % 1000 * 1000}};
    setitimer(ITIMER_REAL, &value, NULL);
}

#endif
