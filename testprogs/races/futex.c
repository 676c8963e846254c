// cflags: -pthread
// Locks handed over among threads and processes, of every kind the C library has, with a condition and
// a ring of tokens: nothing is lost, and nobody sleeps for ever.
#include "check.h"
#include "races/races.h"

#define THREADS 3
#define PROCESSES 2
#define TURNS 400
#define LOCKS 4

struct shared {
    pthread_mutex_t locks[LOCKS];
    long counts[LOCKS];
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    long turn, passed;
    sem_t ring[THREADS];
};

static struct shared *shared;

static void make_locks(void) {
    for (int i = 0; i < LOCKS; i++) {
        pthread_mutexattr_t attr;
        pthread_mutexattr_init(&attr);
        pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
        pthread_mutexattr_setrobust(&attr, i & 1 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
        pthread_mutexattr_setprotocol(&attr, i & 2 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
        REQUIRE(pthread_mutex_init(&shared->locks[i], &attr) == 0);
        shared->counts[i] = 0;
    }
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    REQUIRE(pthread_mutex_init(&shared->mutex, &attr) == 0);
    pthread_condattr_t cond_attr;
    pthread_condattr_init(&cond_attr);
    pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
    REQUIRE(pthread_cond_init(&shared->cond, &cond_attr) == 0);
    shared->turn = shared->passed = 0;
    for (int i = 0; i < THREADS; i++)
        REQUIRE(sem_init(&shared->ring[i], 1, i == 0) == 0);
}

static void *contend(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < TURNS; i++) {
        int which = i % LOCKS;
        REQUIRE(pthread_mutex_lock(&shared->locks[which]) == 0);
        long before = shared->counts[which];
        if (i % 16 == 0)
            sched_yield();
        shared->counts[which] = before + 1;
        REQUIRE(pthread_mutex_unlock(&shared->locks[which]) == 0);
    }
    // A ring of turns with a condition, and one of semaphores.
    for (int i = 0; i < TURNS / 8; i++) {
        REQUIRE(pthread_mutex_lock(&shared->mutex) == 0);
        while (shared->turn % (THREADS * PROCESSES) != me)
            REQUIRE(pthread_cond_wait(&shared->cond, &shared->mutex) == 0);
        shared->turn++;
        REQUIRE(pthread_cond_broadcast(&shared->cond) == 0);
        REQUIRE(pthread_mutex_unlock(&shared->mutex) == 0);
    }
    return NULL;
}

static void *pass_on(void *arg) {
    long me = (long)arg;
    for (int i = 0; i < TURNS / 2; i++) {
        sem_wait_for(&shared->ring[me]);
        shared->passed++;
        REQUIRE(sem_post(&shared->ring[(me + 1) % THREADS]) == 0);
    }
    return NULL;
}

static void in_threads(void *(*run)(void *), long first) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = start(run, (void *)(first + i));
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}

int main(int argc, char **argv) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED);
    while (next_round(argc, argv)) {
        make_locks();
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            in_threads(contend, THREADS);
            _exit(3);
        }
        in_threads(contend, 0);
        int status;
        REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 3);
        in_threads(pass_on, 0);
        for (int i = 0; i < LOCKS; i++)
            REQUIRE(shared->counts[i] == THREADS * PROCESSES * TURNS / LOCKS);
        REQUIRE(shared->passed == THREADS * TURNS / 2 && shared->turn == THREADS * PROCESSES * (TURNS / 8));
    }
    return races_done();
}
