/* Timers, signals between threads, and processes: what comes when. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char came[256];
static volatile int at;

static void on_signal(int signal, siginfo_t *info, void *context)
{
    (void)context;
    came[at++] = signal == SIGALRM ? 'A' : info->si_pid == getpid() ? 'U' : '?';
}

static void *doze(void *arg)
{
    for (int i = 0; i < 200; i++)
        nanosleep(&(struct timespec){ 0, 100000 }, NULL);
    return arg;
}

static void signals(void)
{
    struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART };
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
    struct itimerval every = { { 0, 3000 }, { 0, 3000 } }, never = { 0 };
    setitimer(ITIMER_REAL, &every, NULL);
    pthread_t thread;
    pthread_create(&thread, NULL, doze, NULL);
    for (int i = 0; i < 5; i++) {
        usleep(2000);
        pthread_kill(thread, SIGUSR1);
    }
    pthread_join(thread, NULL);
    setitimer(ITIMER_REAL, &never, NULL);
    printf("%s\n", came);
}

static void show_time(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("%ld.%09ld\n", now.tv_sec, now.tv_nsec);
}

static void timer(void)
{
    int fd = timerfd_create(CLOCK_MONOTONIC, 0);
    struct itimerspec once = { { 0, 0 }, { 1, 500 } };
    timerfd_settime(fd, 0, &once, NULL);
    struct pollfd polled = { fd, POLLIN, 0 };
    int before = poll(&polled, 1, 500), behind = poll(&polled, 1, -1);
    long long times = 0;
    if (read(fd, &times, 8) != 8)
        times = -1;
    printf("%d %d %lld ", before, behind, times);
    show_time();
}

static void processes(void)
{
    int ends[2], status, len = 0, got;
    char all[512] = "", part[32];
    if (pipe(ends) != 0)
        return;
    for (int child = 0; child < 3; child++) {
        if (fork() == 0) {
            for (int i = 0; i < 4; i++) {
                int part_len = sprintf(part, "%d.%d ", getpid(), i);
                if (write(ends[1], part, part_len) != part_len)
                    _exit(9);
            }
            _exit(child);
        }
    }
    close(ends[1]);
    while ((got = read(ends[0], all + len, sizeof all - 1 - len)) > 0)
        len += got;
    printf("%s\n", all);
    pid_t pid;
    while ((pid = wait(&status)) > 0)
        printf("%d:%d ", pid, WEXITSTATUS(status));
    printf("%s\n", strerror(errno));
    if ((pid = fork()) == 0) {
        pause();
        _exit(0);
    }
    kill(pid, SIGKILL);
    got = waitpid(pid, &status, 0) == pid;
    printf("%d %d\n", got, WTERMSIG(status));
}

int main(void)
{
    signals();
    timer();
    processes();
    alarm(2);
    pause();
    show_time();
    return 0;
}
