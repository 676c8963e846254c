// CLONE_FILES without CLONE_VM: a process with memory of its own and the same descriptors.
#include "check.h"
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static pid_t fork_with(unsigned long flags) {
    return (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
}

int main(void) {
    int fds[2], status, shared = 1;
    CHECK_OK(pipe(fds));
    pid_t pid = fork_with(CLONE_FILES);
    if (pid == 0) {
        shared = 2;
        close(fds[0]);
        int fd = open("/dev/null", O_RDONLY); // The lowest: the one that was just closed.
        _exit(fd == fds[0] && fcntl(fd, F_DUPFD, 100) == 100 ? 5 : 6);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(WEXITSTATUS(status), 5);
    CHECK_EQ(shared, 1);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 0); // It is /dev/null now.
    CHECK_EQ(fcntl(100, F_GETFD), 0);
    CHECK_OK(close(100));

    // The parent goes on with children of both kinds.
    for (int i = 0; i < 3; i++) {
        pid = fork_with(i == 1 ? CLONE_FILES | CLONE_FS : 0);
        if (pid == 0)
            _exit(chdir("/") == 0 ? 7 : 8);
        CHECK_EQ(waitpid(pid, &status, 0), pid);
        CHECK_EQ(WEXITSTATUS(status), 7);
    }
    char cwd[64];
    CHECK(getcwd(cwd, sizeof cwd) != NULL);
    CHECK_STR(cwd, "/");
    CHECK_EQ(open("/dev/null", O_RDONLY), fds[1] + 1);
    return CHECK_DONE();
}
