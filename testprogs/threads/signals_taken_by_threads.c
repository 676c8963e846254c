// cflags: -pthread
// Signals that one thread takes while all others block them: sigwait, sigwaitinfo, sigtimedwait and
// signalfd; signals to a process with one willing thread; pending signals of thread and process.
#include "check.h"
#include "threads/threads.h"
#include <sys/signalfd.h>

static sem_t ready;
static pthread_barrier_t all;
static atomic_int tid, handled_by;
static sigset_t set;

static void *wait_for_signals(void *arg) {
    (void)arg;
    int signal;
    siginfo_t info;
    tid = gettid();
    sem_post(&ready);
    REQUIRE(sigwait(&set, &signal) == 0 && signal == SIGUSR1);
    sem_post(&ready);
    REQUIRE(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_code == SI_QUEUE && info.si_value.sival_int == 77);
    sem_post(&ready);
    struct timespec limit = {0, 1000000};
    REQUIRE(sigtimedwait(&set, &info, &limit) == -1 && errno == EAGAIN);
    sem_post(&ready);
    limit.tv_sec = 1000;
    REQUIRE(sigtimedwait(&set, &info, &limit) == SIGUSR2 && info.si_pid == getpid());
    return NULL;
}

static void by_waiting(void) {
    pthread_t thread = start(wait_for_signals, NULL);
    sem_wait_for(&ready);
    until_asleep(getpid(), tid);
    CHECK_OK(kill(getpid(), SIGUSR1));
    sem_wait_for(&ready);
    CHECK_OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 77}));
    sem_wait_for(&ready);
    sem_wait_for(&ready);
    CHECK_EQ(pthread_kill(thread, SIGUSR2), 0);
    join(thread);
}

static void *read_signals(void *arg) {
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    tid = gettid();
    sem_post(&ready);
    int got = 0;
    for (int expected = 0; got < 20; got++) {
        struct signalfd_siginfo info;
        REQUIRE(read(fd, &info, sizeof info) == sizeof info);
        REQUIRE(info.ssi_signo == (unsigned)SIGRTMIN && info.ssi_int == expected++);
        REQUIRE(info.ssi_pid == (unsigned)getpid());
    }
    close(fd);
    return arg;
}

static void by_descriptor(void) {
    pthread_t thread = start(read_signals, NULL);
    sem_wait_for(&ready);
    until_asleep(getpid(), tid);
    for (int i = 0; i < 20; i++)
        REQUIRE(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
    join(thread);
    CHECK(true);
}

static void on_signal(int signal) {
    (void)signal;
    handled_by = gettid();
    sem_post(&ready);
}

static void *be_willing(void *arg) {
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
    tid = gettid();
    sem_post(&ready);
    pthread_barrier_wait(&all);
    // A signal to this thread is pending for it alone, one to the process for all.
    REQUIRE(pthread_sigmask(SIG_BLOCK, &one, NULL) == 0);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    sigset_t pending;
    REQUIRE(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) && sigismember(&pending, SIGUSR2));
    pthread_barrier_wait(&all);
    return arg;
}

static void by_the_willing(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    pthread_t threads[3];
    int tids[3];
    for (int i = 0; i < 3; i++) {
        threads[i] = start(be_willing, NULL);
        sem_wait_for(&ready);
        tids[i] = tid;
    }
    bool by_one = true;
    for (int i = 0; i < 30; i++) {
        handled_by = 0;
        REQUIRE(kill(getpid(), SIGUSR1) == 0);
        sem_wait_for(&ready);
        by_one &= handled_by == tids[0] || handled_by == tids[1] || handled_by == tids[2];
    }
    CHECK(by_one);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(pthread_kill(threads[i], SIGUSR1), 0);
    CHECK_OK(kill(getpid(), SIGUSR2));
    sigset_t pending;
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    CHECK_EQ(sigismember(&pending, SIGUSR2), 1);
    pthread_barrier_wait(&all);
    pthread_barrier_wait(&all);
    for (int i = 0; i < 3; i++)
        join(threads[i]);
    // What was pending for threads has gone with them; what was for the process is there.
    CHECK_OK(sigpending(&pending));
    CHECK_EQ(sigismember(&pending, SIGUSR1), 0);
    CHECK_EQ(sigismember(&pending, SIGUSR2), 1);
    int signal;
    CHECK_EQ(sigwait(&set, &signal), 0);
    CHECK_EQ(signal, SIGUSR2);
}

int main(void) {
    REQUIRE(sem_init(&ready, 0, 0) == 0 && pthread_barrier_init(&all, NULL, 4) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigaddset(&set, SIGRTMIN);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    by_waiting();
    by_descriptor();
    by_the_willing();
    return CHECK_DONE();
}
