// wait4(2): exit statuses, deaths by signals, stops, WNOHANG, ECHILD, resource usage.
#include "check.h"
#include "process/process.h"
#include <sys/resource.h>

static int die(int signal) {
    raise(signal);
    return 0;
}

static int fault(volatile int *at) { return *at; }

static int divide(volatile int by) { return 1000 / by; }

int main(void) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    CHECK_EQ(IN_CHILD(0), 0);
    CHECK_EQ(IN_CHILD(7), 7 << 8);
    CHECK_EQ(IN_CHILD(256 + 3), 3 << 8);
    CHECK_EQ(IN_CHILD(-1), 255 << 8);
    CHECK_EQ(IN_CHILD(die(SIGTERM)), SIGTERM);
    CHECK_EQ(IN_CHILD(die(SIGKILL)), SIGKILL);
    CHECK_EQ(IN_CHILD(die(SIGRTMIN + 3)), SIGRTMIN + 3);
    CHECK_EQ(IN_CHILD(fault(NULL)), SIGSEGV);
    CHECK_EQ(IN_CHILD(divide(0)), SIGFPE);
    CHECK_EQ(IN_CHILD((abort(), 0)), SIGABRT);

    pid_t pid = CHECKED_FORK();
    if (pid == 0)
        for (;;)
            pause();
    int status = -1;
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    CHECK_EQ(status, -1);
    CHECK_OK(kill(pid, SIGSTOP));
    CHECK_EQ(waitpid(pid, &status, WUNTRACED), pid);
    CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    CHECK_OK(kill(pid, SIGCONT));
    CHECK_EQ(waitpid(pid, &status, WCONTINUED), pid);
    CHECK(WIFCONTINUED(status));
    CHECK_OK(kill(pid, SIGINT));
    struct rusage usage;
    memset(&usage, 0xff, sizeof usage);
    CHECK_EQ(wait4(pid, &status, 0, &usage), pid);
    CHECK_EQ(status, SIGINT);
    CHECK(usage.ru_utime.tv_sec >= 0 && usage.ru_utime.tv_sec < 1000);
    CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
    CHECK_ERR(waitpid(-1, &status, WNOHANG), ECHILD);
    CHECK_ERR(waitpid(getpid(), &status, 0), ECHILD);
    CHECK_ERR(kill(pid, 0), ESRCH);
    return CHECK_DONE();
}
