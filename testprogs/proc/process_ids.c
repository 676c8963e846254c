// getpid(2), gettid(2), getpgid(2), getsid(2), setpgid(2), setsid(2): ids of the only thread, and refusals.
#include "check.h"

#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

int main(void) {
    pid_t pid = getpid();
    CHECK(pid > 0);
    CHECK_EQ(syscall(SYS_getpid), pid);
    CHECK_EQ(syscall(SYS_gettid), pid);
    CHECK_EQ(syscall(SYS_set_tid_address, NULL), pid);
    CHECK(getppid() >= 0 && getppid() != pid);
    CHECK_EQ(getpgid(0), getpgrp());
    CHECK_EQ(getpgid(pid), getpgrp());
    CHECK_EQ(getsid(0), getsid(pid));
    CHECK_ERR(getpgid(-1), ESRCH);
    CHECK_ERR(getpgid(0x3fffffff), ESRCH);
    CHECK_ERR(getsid(-5), ESRCH);
    CHECK_ERR(setpgid(-1, 0), EINVAL);
    CHECK_ERR(setpgid(0, -1), EINVAL);
    CHECK_ERR(setpgid(0x3fffffff, 0), ESRCH);

    CHECK_OK(kill(pid, 0));
    CHECK_OK(syscall(SYS_tkill, pid, 0));
    CHECK_OK(syscall(SYS_tgkill, pid, pid, 0));
    CHECK_ERR(kill(pid, 65), EINVAL);
    CHECK_ERR(kill(pid, -1), EINVAL);
    CHECK_ERR(kill(0x3fffffff, 0), ESRCH);
    CHECK_ERR(syscall(SYS_tgkill, 0, pid, 0), EINVAL);
    CHECK_ERR(syscall(SYS_tgkill, pid, 0x3fffffff, 0), ESRCH);
    CHECK_ERR(syscall(SYS_tkill, -1, 0), EINVAL);

    CHECK_ERR(wait(NULL), ECHILD);
    CHECK_ERR(waitpid(-1, NULL, WNOHANG), ECHILD);
    CHECK_ERR(waitpid(-1, NULL, 0x40), EINVAL);
    siginfo_t info;
    CHECK_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
    CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    CHECK_ERR(waitid(99, 0, &info, WEXITED), EINVAL);

    // A group leader may not make a session; anybody else may.
    if (getpgrp() != pid)
        (void)!setpgid(0, 0);
    if (getpgrp() == pid)
        CHECK_ERR(setsid(), EPERM);
    int pidfd = CHECK_OK((int)syscall(SYS_pidfd_open, pid, 0));
    CHECK_OK(syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
    CHECK_ERR(syscall(SYS_pidfd_send_signal, pidfd, 65, NULL, 0), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_open, 0, 0), EINVAL);
    CHECK_ERR(syscall(SYS_pidfd_open, pid, 1), EINVAL);
    return CHECK_DONE();
}
