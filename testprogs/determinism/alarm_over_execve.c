/* setitimer(2) goes on in the program that is executed. */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

static volatile sig_atomic_t alarms;

static void count(int signal)
{
    (void)signal;
    alarms++;
}

int main(int argc, char **argv)
{
    struct itimerval timer = { { 0, 100000 }, { 0, 200000 } };
    sigset_t blocked;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGALRM);
    if (argc == 1) {
        sigprocmask(SIG_BLOCK, &blocked, NULL);
        setitimer(ITIMER_REAL, &timer, NULL);
        execl("/proc/self/exe", argv[0], "again", NULL);
        return 1;
    }
    signal(SIGALRM, count);
    getitimer(ITIMER_REAL, &timer);
    printf("left: %s, interval %ld us\n", timer.it_value.tv_usec > 0 ? "some" : "none", timer.it_interval.tv_usec);
    sigprocmask(SIG_UNBLOCK, &blocked, NULL);
    while (alarms < 3)
        pause();
    puts("three alarms");
    return 0;
}
