// unshare(2): what a single thread has for itself anyway, what it can part with, and what it refuses.
#include "check.h"

#include <sched.h>
#include <sys/stat.h>

int main(void) {
    CHECK_OK(unshare(0));
    CHECK_OK(unshare(CLONE_THREAD));
    CHECK_OK(unshare(CLONE_SIGHAND));
    CHECK_OK(unshare(CLONE_VM));
    CHECK_OK(unshare(CLONE_FS));
    CHECK_OK(unshare(CLONE_FILES | CLONE_SYSVSEM));
    CHECK_OK(unshare(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_FILES | CLONE_FS));
    CHECK_ERR(unshare(CLONE_VFORK), EINVAL);
    CHECK_ERR(unshare(CLONE_PARENT), EINVAL);
    CHECK_ERR(unshare(-1), EINVAL);
    umask(027);
    CHECK_EQ(umask(0), 027);
    return CHECK_DONE();
}
