/* What there is no process, clock or signal for. */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void show(const char *name, long result)
{
    printf("%s: %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

/* The clock of the processor time of a process. */
static clockid_t clock_of(pid_t pid)
{
    return (~(unsigned)pid << 3) | 2;
}

static void timer(const char *name, clockid_t clock, int notify, int signal, int thread)
{
    struct sigevent event = { .sigev_notify = notify, .sigev_signo = signal };
    int id = -1;
    event._sigev_un._tid = thread;
    long result = syscall(SYS_timer_create, clock, &event, &id);
    show(name, result);
    if (result == 0)
        show("its end", syscall(SYS_timer_delete, id));
}

int main(void)
{
    struct timespec now;
    cpu_set_t set;
    pid_t child = fork();
    if (child == 0) {
        pause();
        return 0;
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    show("affinity, self", sched_getaffinity(getpid(), sizeof set, &set));
    show("affinity, ended", sched_getaffinity(child, sizeof set, &set));
    show("affinity, negative", sched_getaffinity(-5, sizeof set, &set));
    show("clock, self", clock_gettime(clock_of(getpid()), &now));
    show("clock, 0", clock_gettime(clock_of(0), &now));
    show("clock, ended", clock_gettime(clock_of(child), &now));
    show("clock, 12", clock_gettime(12, &now));
    show("resolution, ended", clock_getres(clock_of(child), &now));
    timer("timer", CLOCK_MONOTONIC, SIGEV_SIGNAL, SIGUSR1, 0);
    timer("timer, signal 0", CLOCK_MONOTONIC, SIGEV_SIGNAL, 0, 0);
    timer("timer, signal 65", CLOCK_MONOTONIC, SIGEV_SIGNAL, 65, 0);
    timer("timer, no signal", CLOCK_MONOTONIC, SIGEV_NONE, 99, 0);
    timer("timer, notify 3", CLOCK_MONOTONIC, 3, SIGUSR1, 0);
    timer("timer, own thread", CLOCK_REALTIME, SIGEV_THREAD_ID, SIGUSR1, gettid());
    timer("timer, ended thread", CLOCK_REALTIME, SIGEV_THREAD_ID, SIGUSR1, child);
    timer("timer, coarse", CLOCK_MONOTONIC_COARSE, SIGEV_SIGNAL, SIGUSR1, 0);
    timer("timer, raw", CLOCK_MONOTONIC_RAW, SIGEV_SIGNAL, SIGUSR1, 0);
    timer("timer, clock 99", 99, SIGEV_SIGNAL, SIGUSR1, 0);
    timer("timer, own processor time", CLOCK_PROCESS_CPUTIME_ID, SIGEV_SIGNAL, SIGUSR1, 0);
    timer("timer, ended process", clock_of(child), SIGEV_SIGNAL, SIGUSR1, 0);
    int id;
    show("timer, no event", syscall(SYS_timer_create, CLOCK_BOOTTIME, NULL, &id));
    show("timer, nowhere", syscall(SYS_timer_create, CLOCK_BOOTTIME, NULL, NULL));
    show("interval 3", syscall(SYS_setitimer, 3, NULL, NULL));
    return 0;
}
