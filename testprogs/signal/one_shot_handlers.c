// sigaction(2): SA_RESETHAND makes a handler run once; the second signal does the default.
#include "check.h"
#include "signals.h"

static volatile int count;
static struct sigaction in_handler;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)info, (void)context;
    count++;
    sigaction(signal, NULL, &in_handler);
}

int main(void) {
    struct sigaction after;
    CHECK_OK(install(SIGCHLD, handler, SA_RESETHAND));
    CHECK_OK(raise(SIGCHLD));
    CHECK_EQ(count, 1);
    CHECK_EQ(in_handler.sa_handler, SIG_DFL);
    CHECK_OK(raise(SIGCHLD));
    CHECK_EQ(count, 1);
    CHECK_OK(sigaction(SIGCHLD, NULL, &after));
    CHECK_EQ(after.sa_handler, SIG_DFL);
    CHECK_EQ(after.sa_flags & (SA_SIGINFO | (int)SA_RESETHAND), SA_SIGINFO | (int)SA_RESETHAND);

    CHECK_OK(install(SIGSEGV, handler, SA_RESETHAND));
    CHECK_OK(raise(SIGSEGV));
    CHECK_EQ(count, 2);
    CHECK_EQ(in_handler.sa_handler, SIG_DFL);
    CHECK_OK(install(SIGTERM, handler, SA_RESETHAND | SA_NODEFER));
    CHECK_OK(raise(SIGTERM));
    CHECK_EQ(count, 3);
    CHECK_DEATH(SIGTERM, raise(SIGTERM));
}
