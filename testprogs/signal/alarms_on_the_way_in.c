// A signal that comes while setitimer(2) returns is not lost, and no later one need come to bring it: not before vfork(2),
// not after it.
#include "check.h"

#include <signal.h>
#include <sys/time.h>
#include <sys/wait.h>

static volatile int ticks;

static void on_alarm(int signal) {
    (void)signal;
    ticks++;
}

static bool alarms_arrive(void) {
    ticks = 0;
    for (int round = 0; round < 1500; round++) {
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 1 + round % 75}, NULL) == 0);
        // No call, and no page fault: nothing but the signal ends this.
        while (ticks == round)
            ;
    }
    return true;
}

int main(void) {
    CHECK(signal(SIGALRM, on_alarm) != SIG_ERR);
    CHECK(alarms_arrive());
    pid_t child = vfork();
    if (child == 0)
        _exit(3);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 3);
    CHECK(alarms_arrive());
    return CHECK_DONE();
}
