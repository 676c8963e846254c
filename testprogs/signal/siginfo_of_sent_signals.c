// sigaction(2): what a handler is told of signals that are sent by kill, tgkill, sigqueue and raise.
#include "check.h"
#include "signals.h"

static volatile int count, number;
static siginfo_t seen;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)context;
    count++;
    number = signal;
    seen = *info;
}

static volatile int plain;
static void plain_handler(int signal) { plain = signal; }

int main(void) {
    CHECK_OK(install(SIGUSR1, handler, 0));
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK(count == 1 && number == SIGUSR1);
    CHECK(seen.si_signo == SIGUSR1 && seen.si_errno == 0 && seen.si_code == SI_USER);
    CHECK(seen.si_pid == getpid() && seen.si_uid == getuid());

    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(seen.si_code, SI_TKILL);
    CHECK(seen.si_pid == getpid() && seen.si_uid == getuid());
    CHECK_OK(kill(0, 0));
    CHECK_OK(syscall(SYS_tkill, (long)gettid(), SIGUSR1));
    CHECK_EQ(seen.si_code, SI_TKILL);

    CHECK_OK(install(SIGRTMIN + 3, handler, 0));
    CHECK_OK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_ptr = &seen}));
    CHECK(number == SIGRTMIN + 3 && seen.si_code == SI_QUEUE);
    CHECK_EQ(seen.si_value.sival_ptr, &seen);
    CHECK(seen.si_pid == getpid() && seen.si_uid == getuid());

    // To oneself one may send anything.
    siginfo_t own = {.si_signo = 1, .si_code = 77, .si_errno = 5};
    own.si_value.sival_int = -9;
    CHECK_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMAX - 1, NULL) == -1 ? 0 : -1);
    CHECK_OK(install(SIGRTMAX - 1, handler, 0));
    CHECK_OK(syscall(SYS_rt_sigqueueinfo, getpid(), SIGRTMAX - 1, &own));
    CHECK(seen.si_signo == SIGRTMAX - 1 && seen.si_code == 77 && seen.si_errno == 5);
    CHECK_EQ(seen.si_value.sival_int, -9);
    CHECK_OK(syscall(SYS_rt_tgsigqueueinfo, getpid(), gettid(), SIGUSR1, &own));
    CHECK(number == SIGUSR1 && seen.si_code == 77);
    CHECK_EQ(count, 6);

    signal(SIGTERM, plain_handler);
    CHECK_OK(raise(SIGTERM));
    CHECK_EQ(plain, SIGTERM);
    CHECK_OK(raise(SIGTERM));
    CHECK_EQ(count, 6);
    // The C library's own signals can have handlers, too.
    CHECK_OK(kill(getpid(), SIGUSR1));
    CHECK_EQ(count, 7);
    return CHECK_DONE();
}
