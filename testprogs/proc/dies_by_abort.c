// abort(3): SIGABRT ends the process even when it is ignored and blocked; stdio is not flushed.
#include "check.h"

#include <signal.h>
#include <sys/resource.h>

int main(void) {
    struct rlimit none = {0, 0};
    sigset_t set;
    CHECK_OK(setrlimit(RLIMIT_CORE, &none));
    CHECK(signal(SIGABRT, SIG_IGN) != SIG_ERR);
    CHECK_OK(raise(SIGABRT));
    sigfillset(&set);
    CHECK_OK(sigprocmask(SIG_BLOCK, &set, NULL));
    CHECK_ERR(sigprocmask(99, &set, NULL), EINVAL);
    CHECK_DEATH(SIGABRT, abort());
}
