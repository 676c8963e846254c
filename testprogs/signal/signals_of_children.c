// SIGCHLD: what a handler is told of children that end, are killed, stop and go on; SA_NOCLDSTOP and SA_NOCLDWAIT.
#include "check.h"
#include "signals.h"

#include <sys/wait.h>

static volatile int count, code, status, pid;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    count++;
    code = info->si_code;
    status = info->si_status;
    pid = info->si_pid;
}

static void wait_for(int wanted) {
    while (count < wanted)
        usleep(1000);
}

static pid_t sleeper(void) {
    pid_t child = fork();
    while (child == 0)
        pause();
    return child;
}

int main(void) {
    CHECK_OK(install(SIGCHLD, handler, 0));
    pid_t child = fork();
    if (child == 0)
        _exit(42);
    wait_for(1);
    CHECK(code == CLD_EXITED && status == 42 && pid == child);
    int how = 0;
    CHECK_EQ(waitpid(child, &how, 0), child);
    CHECK(WIFEXITED(how) && WEXITSTATUS(how) == 42);

    child = sleeper();
    CHECK_OK(kill(child, SIGSTOP));
    wait_for(2);
    CHECK(code == CLD_STOPPED && status == SIGSTOP && pid == child);
    CHECK_EQ(waitpid(child, &how, WUNTRACED), child);
    CHECK(WIFSTOPPED(how) && WSTOPSIG(how) == SIGSTOP);
    CHECK_OK(kill(child, SIGCONT));
    wait_for(3);
    CHECK(code == CLD_CONTINUED && status == SIGCONT);
    CHECK_EQ(waitpid(child, &how, WCONTINUED), child);
    CHECK(WIFCONTINUED(how));
    CHECK_OK(kill(child, SIGKILL));
    wait_for(4);
    CHECK(code == CLD_KILLED && status == SIGKILL);
    CHECK_EQ(waitpid(child, &how, 0), child);
    CHECK(WIFSIGNALED(how) && WTERMSIG(how) == SIGKILL);

    CHECK_OK(install(SIGCHLD, handler, SA_NOCLDSTOP | SA_RESTART));
    child = sleeper();
    kill(child, SIGSTOP);
    CHECK_EQ(waitpid(child, &how, WUNTRACED), child);
    CHECK_EQ(count, 4);
    kill(child, SIGTERM);
    kill(child, SIGCONT);
    // The call starts again after the handler.
    CHECK_EQ(waitpid(child, &how, 0), child);
    CHECK(WIFSIGNALED(how) && WTERMSIG(how) == SIGTERM && count == 5);

    CHECK_OK(install(SIGCHLD, handler, SA_NOCLDWAIT));
    child = fork();
    if (child == 0)
        _exit(0);
    wait_for(6);
    CHECK_ERR(waitpid(child, &how, 0), ECHILD);
    signal(SIGCHLD, SIG_IGN);
    child = fork();
    if (child == 0)
        _exit(0);
    CHECK_ERR(waitpid(child, &how, 0), ECHILD);
    CHECK_EQ(count, 6);
    return CHECK_DONE();
}
