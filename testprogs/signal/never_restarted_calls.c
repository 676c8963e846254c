// signal(7): calls that fail with EINTR after a handler, SA_RESTART or not.
#include "check.h"
#include "signals.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>

static volatile int count;
static int epoll, semaphores;
static struct timespec left;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info, (void)context;
    count++;
}

static long try_poll(void) { return poll(NULL, 0, -1); }
static long try_poll_with_timeout(void) { return poll(NULL, 0, 1000000); }
static long try_select(void) {
    struct timeval time = {1000, 0};
    return select(0, NULL, NULL, NULL, &time);
}
static long try_epoll(void) {
    struct epoll_event event;
    return epoll_wait(epoll, &event, 1, 1000000);
}
static long try_pause(void) { return pause(); }
static long try_nanosleep(void) {
    struct timespec time = {1000, 0};
    return nanosleep(&time, &left);
}
static long try_clock_nanosleep(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += 1000;
    errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL);
    return errno ? -1 : 0;
}
static long try_sigsuspend(void) {
    sigset_t none;
    sigemptyset(&none);
    return sigsuspend(&none);
}
static long try_sigtimedwait(void) {
    sigset_t set;
    struct timespec time = {1000, 0};
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    return sigtimedwait(&set, NULL, &time);
}
static long try_semop(void) {
    struct sembuf down = {0, -1, 0};
    return semop(semaphores, &down, 1);
}

int main(void) {
    static const struct {
        const char *name;
        long (*call)(void);
    } calls[] = {{"poll", try_poll},           {"poll with timeout", try_poll_with_timeout},
                 {"select", try_select},       {"epoll_wait", try_epoll},
                 {"pause", try_pause},         {"nanosleep", try_nanosleep},
                 {"clock_nanosleep", try_clock_nanosleep}, {"sigsuspend", try_sigsuspend},
                 {"sigtimedwait", try_sigtimedwait},       {"semop", try_semop}};
    epoll = CHECK_OK(epoll_create1(0));
    semaphores = CHECK_OK(semget(IPC_PRIVATE, 1, 0600));
    for (int i = 0; i < 10; i++) {
        for (int restart = 0; restart < 2; restart++) {
            NOTE("%s %s SA_RESTART", calls[i].name, restart ? "with" : "without");
            CHECK_OK(install(SIGALRM, handler, restart ? SA_RESTART : 0));
            count = 0;
            alarm_every(100, 100);
            CHECK_ERR(calls[i].call(), EINTR);
            alarm_every(0, 0);
            CHECK(count >= 1);
        }
    }
    CHECK_OK(semctl(semaphores, 0, IPC_RMID));
    CHECK(left.tv_sec >= 900 && left.tv_sec < 1000);
    // An ignored signal interrupts nothing.
    signal(SIGALRM, SIG_IGN);
    alarm_every(10, 10);
    struct timespec time = {0, 60000000};
    CHECK_OK(nanosleep(&time, NULL));
    CHECK_OK(poll(NULL, 0, 60));
    CHECK_OK(epoll_wait(epoll, &(struct epoll_event){0}, 1, 60));
    alarm_every(0, 0);
    return CHECK_DONE();
}
