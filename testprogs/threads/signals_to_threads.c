// cflags: -pthread
// Signals to a thread reach that thread; signals to the process one that does not block them.
#include "check.h"
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>

static __thread int number;
static volatile sig_atomic_t seen[4];
static sem_t ready, delivered;

static void on_signal(int signal) {
    (void)signal;
    seen[number]++;
    sem_post(&delivered);
}

static void *work(void *arg) {
    number = (int)(long)arg;
    if (number == 3) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGUSR2);
        REQUIRE(pthread_sigmask(SIG_UNBLOCK, &set, 0) == 0);
    }
    sem_post(&ready);
    if (number == 1)
        for (;;) __asm__ volatile("pause");
    for (;;) pause();
    return 0;
}

static void wait_for(sem_t *sem) {
    while (sem_wait(sem) != 0) REQUIRE(errno == EINTR);
}

int main(void) {
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t set;
    REQUIRE(sigaction(SIGUSR1, &action, 0) == 0 && sigaction(SIGUSR2, &action, 0) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    REQUIRE(pthread_sigmask(SIG_BLOCK, &set, 0) == 0);
    REQUIRE(sem_init(&ready, 0, 0) == 0 && sem_init(&delivered, 0, 0) == 0);
    pthread_t threads[4];
    for (long i = 1; i < 4; i++) REQUIRE(pthread_create(&threads[i], 0, work, (void *)i) == 0);
    for (int i = 1; i < 4; i++) wait_for(&ready);
    for (int round = 0; round < 20; round++) {
        for (int i = 1; i < 4; i++) {
            REQUIRE(pthread_kill(threads[i], SIGUSR1) == 0);
            wait_for(&delivered);
        }
        REQUIRE(kill(getpid(), SIGUSR2) == 0);
        wait_for(&delivered);
    }
    printf("%d %d %d %d\n", seen[0], seen[1], seen[2], seen[3]);
    REQUIRE(pthread_kill(threads[2], 0) == 0);
    REQUIRE(syscall(SYS_tgkill, getpid(), 1 << 22, SIGUSR1) == -1 && errno == ESRCH);
    return 0;
}
