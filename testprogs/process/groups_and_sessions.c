// getppid(2), setpgid(2), setsid(2), orphans, subreapers and parent-death signals.
#include "check.h"
#include "process/process.h"
#include <sys/prctl.h>
#include <sys/syscall.h>

static int session(void) {
    if (setsid() != getpid() || getsid(0) != getpid() || getpgrp() != getpid())
        return 1;
    return setsid() == -1 && errno == EPERM ? 30 : 2;
}

static int ids(pid_t parent) {
    return getppid() == parent && getpid() != parent && (pid_t)syscall(SYS_gettid) == getpid() &&
           syscall(SYS_getpid) == getpid() && getpgrp() == getpgid(parent) && getsid(0) == getsid(parent);
}

int main(void) {
    pid_t self = getpid();
    CHECK_EQ(code_of(IN_CHILD(ids(self))), 1);
    CHECK_EQ(code_of(IN_CHILD(session())), 30);
    CHECK_EQ(code_of(IN_CHILD(setpgid(0, 0) == 0 && getpgrp() == getpid())), 1);

    // A whole group is signalled and waited for.
    pid_t leader = CHECKED_FORK();
    if (leader == 0)
        for (;;)
            pause();
    CHECK_OK(setpgid(leader, leader));
    pid_t member = CHECKED_FORK();
    if (member == 0)
        for (;;)
            pause();
    CHECK_OK(setpgid(member, leader));
    CHECK_EQ(getpgid(member), leader);
    CHECK_OK(killpg(leader, SIGTERM));
    int first = waitpid(-leader, NULL, 0), second = waitpid(-leader, NULL, 0);
    CHECK_EQ(first + second, leader + member);
    CHECK_ERR(waitpid(-leader, NULL, 0), ECHILD);

    // An orphan goes to the subreaper.
    CHECK_OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
    int ends[2];
    CHECK_OK(pipe(ends));
    pid_t middle = CHECKED_FORK();
    if (middle == 0) {
        pid_t orphan = fork();
        if (orphan == 0) {
            while (getppid() != self)
                usleep(1000);
            _exit(44);
        }
        _exit(write(ends[1], &orphan, sizeof orphan) != sizeof orphan);
    }
    CHECK_EQ(code_of(wait_for(middle)), 0);
    pid_t orphan;
    CHECK_EQ(read(ends[0], &orphan, sizeof orphan), sizeof orphan);
    CHECK_EQ(code_of(wait_for(orphan)), 44);

    // A child that dies with its parent.
    middle = CHECKED_FORK();
    if (middle == 0) {
        orphan = fork();
        if (orphan == 0) {
            prctl(PR_SET_PDEATHSIG, SIGUSR1);
            if (write(ends[1], &(pid_t){getpid()}, sizeof(pid_t)) < 0)
                _exit(5);
            for (;;)
                pause();
        }
        pid_t told;
        _exit(read(ends[0], &told, sizeof told) != sizeof told || write(ends[1], &told, sizeof told) < 0);
    }
    CHECK_EQ(code_of(wait_for(middle)), 0);
    CHECK_EQ(read(ends[0], &orphan, sizeof orphan), sizeof orphan);
    CHECK_EQ(code_of(wait_for(orphan)), 1000 + SIGUSR1);
    CHECK_EQ(code_of(IN_CHILD(prctl(PR_GET_PDEATHSIG, &first) == 0 && first == 0)), 1);
    CHECK_ERR(setpgid(self + 100000, 0), ESRCH);
    return CHECK_DONE();
}
