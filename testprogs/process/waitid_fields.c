// waitid(2): the fields of siginfo, WNOWAIT, and waiting for a pidfd and for a group.
#include "check.h"
#include "process/process.h"
#include <sys/syscall.h>

static pid_t exits_with(int code) {
    pid_t pid = fork();
    if (pid == 0)
        _exit(code);
    return pid;
}

int main(void) {
    siginfo_t info;
    pid_t pid = exits_with(9);
    memset(&info, 0x55, sizeof info);
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT));
    CHECK_EQ(info.si_signo, SIGCHLD);
    CHECK_EQ(info.si_code, CLD_EXITED);
    CHECK_EQ(info.si_pid, pid);
    CHECK_EQ(info.si_uid, getuid());
    CHECK_EQ(info.si_status, 9);
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
    CHECK_ERR(waitid(P_PID, (id_t)pid, &info, WEXITED), ECHILD);

    pid = CHECKED_FORK();
    if (pid == 0)
        for (;;)
            pause();
    memset(&info, 0x55, sizeof info);
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG));
    CHECK_EQ(info.si_pid, 0);
    CHECK_OK(kill(pid, SIGKILL));
    CHECK_OK(waitid(P_PID, (id_t)pid, &info, WEXITED));
    CHECK_EQ(info.si_code, CLD_KILLED);
    CHECK_EQ(info.si_status, SIGKILL);

    pid = exits_with(21);
    int pidfd = CHECK_OK((int)syscall(SYS_pidfd_open, pid, 0));
    CHECK_OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    CHECK_EQ(info.si_status, 21);

    pid = CHECKED_FORK();
    if (pid == 0) {
        setpgid(0, 0);
        _exit(22);
    }
    setpgid(pid, pid);
    CHECK_OK(waitid(P_PGID, (id_t)pid, &info, WEXITED));
    CHECK_EQ(info.si_status, 22);
    CHECK_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    return CHECK_DONE();
}
