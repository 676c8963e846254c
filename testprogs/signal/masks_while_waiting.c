// ppoll, pselect, epoll_pwait, sigsuspend: the mask is another one while they wait; handlers run under it, and it is back
// afterwards.
#include "check.h"
#include "signals.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/select.h>

static volatile int count;
static volatile unsigned long inside, saved;
static int epoll;

static void handler(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    count++;
    inside = mask_now();
    saved = *(unsigned long *)&((ucontext_t *)context)->uc_sigmask;
}

static sigset_t waiting;
static long try_ppoll(void) { return ppoll(NULL, 0, &(struct timespec){5, 0}, &waiting); }
static long try_pselect(void) { return pselect(0, NULL, NULL, NULL, &(struct timespec){5, 0}, &waiting); }
static long try_epoll(void) { return epoll_pwait(epoll, &(struct epoll_event){0}, 1, 5000, &waiting); }
static long try_sigsuspend(void) { return sigsuspend(&waiting); }

int main(void) {
    static const struct {
        const char *name;
        long (*call)(void);
    } calls[] = {{"ppoll", try_ppoll}, {"pselect", try_pselect}, {"epoll_pwait", try_epoll}, {"sigsuspend", try_sigsuspend}};
    epoll = CHECK_OK(epoll_create1(0));
    CHECK_OK(install(SIGUSR1, handler, 0));
    CHECK_OK(install(SIGALRM, handler, SA_RESTART));
    CHECK_OK(install(SIGSEGV, handler, 0));
    unsigned long own = bit(SIGUSR1) | bit(SIGALRM) | bit(SIGSEGV) | bit(SIGTERM);
    sigemptyset(&waiting);
    sigaddset(&waiting, SIGHUP);
    for (int i = 0; i < 4; i++) {
        NOTE("%s", calls[i].name);
        set_mask(own);
        // Pending before the call.
        count = 0;
        raise(SIGUSR1);
        CHECK_EQ(count, 0);
        CHECK_ERR(calls[i].call(), EINTR);
        CHECK_EQ(count, 1);
        CHECK_EQ(inside, bit(SIGHUP) | bit(SIGUSR1));
        CHECK_EQ(saved, own);
        CHECK_EQ(mask_now(), own);
        // Sent while it waits.
        alarm_every(100, 0);
        CHECK_ERR(calls[i].call(), EINTR);
        CHECK_EQ(count, 2);
        CHECK_EQ(inside, bit(SIGHUP) | bit(SIGALRM));
        CHECK_EQ(saved, own);
        CHECK_EQ(mask_now(), own);
        // One of the processor's, pending.
        kill(getpid(), SIGSEGV);
        CHECK_EQ(count, 2);
        CHECK_ERR(calls[i].call(), EINTR);
        CHECK_EQ(count, 3);
        CHECK_EQ(inside, bit(SIGHUP) | bit(SIGSEGV));
        CHECK_EQ(saved, own);
        CHECK_EQ(mask_now(), own);
    }
    // Blocked during the call, it stays pending.
    set_mask(0);
    count = 0;
    sigfillset(&waiting);
    alarm_every(10, 0);
    CHECK_EQ(ppoll(NULL, 0, &(struct timespec){0, 40000000}, &waiting), 0);
    CHECK_EQ(count, 1);
    CHECK_EQ(saved, 0);
    // Ready descriptors count more than signals that wait.
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_EQ(write(ends[1], "x", 1), 1);
    set_mask(own);
    count = 0;
    raise(SIGUSR1);
    sigemptyset(&waiting);
    struct pollfd ready = {ends[0], POLLIN, 0};
    CHECK_EQ(ppoll(&ready, 1, NULL, &waiting), 1);
    CHECK_EQ(count, 0);
    set_mask(0);
    CHECK_EQ(count, 1);
    return CHECK_DONE();
}
