// Calls that wait, none of which a sampler may interrupt: each returns what it returns when nobody looks.
#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int pipe_ends[2];

static const char *outcome(long result)
{
    static char text[64];
    snprintf(text, sizeof text, "%ld %s", result, result < 0 ? strerror(errno) : "");
    return text;
}

static void *writer(void *unused)
{
    (void)unused;
    struct timespec pause = {0, 150000000};
    printf("nanosleep of a thread %s\n", outcome(nanosleep(&pause, NULL)));
    if (write(pipe_ends[1], "x", 1) != 1)
        printf("write failed\n");
    return NULL;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct timespec tenth = {0, 100000000};
    printf("poll %s\n", outcome(poll(NULL, 0, 100)));
    printf("ppoll %s\n", outcome(ppoll(NULL, 0, &tenth, NULL)));
    int epoll = epoll_create1(0);
    struct epoll_event event;
    printf("epoll_wait %s\n", outcome(epoll_wait(epoll, &event, 1, 100)));
    struct timeval time = {0, 100000};
    printf("select %s\n", outcome(select(0, NULL, NULL, NULL, &time)));
    printf("clock_nanosleep %s\n", outcome(clock_nanosleep(CLOCK_MONOTONIC, 0, &tenth, NULL)));
    int word = 1;
    printf("futex %s\n", outcome(syscall(SYS_futex, &word, FUTEX_WAIT, 1, &tenth, NULL, 0)));
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("sigtimedwait %s\n", outcome(sigtimedwait(&set, NULL, &tenth)));
    sem_t sem;
    sem_init(&sem, 0, 0);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    printf("sem_timedwait %s\n", outcome(sem_timedwait(&sem, &until)));
    if (pipe(pipe_ends) != 0)
        return 1;
    pthread_t thread;
    if (pthread_create(&thread, NULL, writer, NULL) != 0)
        return 1;
    char byte;
    printf("read %s\n", outcome(read(pipe_ends[0], &byte, 1)));
    pthread_join(thread, NULL);
    int queue = msgget(IPC_PRIVATE, 0600);
    pid_t child = fork();
    if (child == 0) {
        struct {
            long type;
            char text;
        } message = {1, 'm'};
        usleep(150000);
        _exit(msgsnd(queue, &message, 1, 0) == 0 ? 3 : 4);
    }
    struct {
        long type;
        char text;
    } got;
    printf("msgrcv %s\n", outcome(msgrcv(queue, &got, 1, 0, 0)));
    int status;
    printf("waitpid %d\n", waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
    msgctl(queue, IPC_RMID, NULL);
    return 0;
}
