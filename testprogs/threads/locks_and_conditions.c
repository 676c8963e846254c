// cflags: -pthread
// What the C library makes of futexes: mutexes of all kinds, conditions, read-write locks, barriers,
// semaphores, spin locks, and things done once.
#include "check.h"
#include "threads/threads.h"

#define THREADS 4
#define TURNS 3000

static pthread_mutex_t mutex;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static pthread_spinlock_t spin;
static pthread_barrier_t barrier;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static sem_t sem, named_like;
static long count, pair[2], phases[THREADS];
static atomic_int serial, done_once, readers;

static void *add_under_mutex(void *arg) {
    for (int i = 0; i < TURNS; i++) {
        REQUIRE(pthread_mutex_lock(&mutex) == 0);
        count++;
        REQUIRE(pthread_mutex_unlock(&mutex) == 0);
    }
    return arg;
}

static void in_threads(void *(*run)(void *)) {
    pthread_t threads[THREADS];
    for (long i = 0; i < THREADS; i++)
        threads[i] = start(run, (void *)i);
    for (int i = 0; i < THREADS; i++)
        join(threads[i]);
}

static void mutexes(void) {
    static const int types[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_ERRORCHECK,
                                PTHREAD_MUTEX_ADAPTIVE_NP};
    for (int kind = 0; kind < 4; kind++)
        for (int options = 0; options < 8; options++) {
            pthread_mutexattr_t attr;
            pthread_mutexattr_init(&attr);
            pthread_mutexattr_settype(&attr, types[kind]);
            pthread_mutexattr_setrobust(&attr, options & 1 ? PTHREAD_MUTEX_ROBUST : PTHREAD_MUTEX_STALLED);
            pthread_mutexattr_setprotocol(&attr, options & 2 ? PTHREAD_PRIO_INHERIT : PTHREAD_PRIO_NONE);
            pthread_mutexattr_setpshared(&attr, options & 4 ? PTHREAD_PROCESS_SHARED : PTHREAD_PROCESS_PRIVATE);
            REQUIRE(pthread_mutex_init(&mutex, &attr) == 0);
            count = 0;
            in_threads(add_under_mutex);
            CHECK_EQ(count, THREADS * TURNS);
            REQUIRE(pthread_mutex_lock(&mutex) == 0);
            if (types[kind] == PTHREAD_MUTEX_RECURSIVE)
                REQUIRE(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0);
            if (types[kind] == PTHREAD_MUTEX_ERRORCHECK)
                REQUIRE(pthread_mutex_lock(&mutex) == EDEADLK);
            REQUIRE(pthread_mutex_unlock(&mutex) == 0);
            REQUIRE(pthread_mutex_destroy(&mutex) == 0);
        }
}

static void *pass_tokens(void *arg) {
    for (int i = 0; i < 300; i++) {
        REQUIRE(pthread_mutex_lock(&mutex) == 0);
        while (count % THREADS != (long)arg)
            REQUIRE(pthread_cond_wait(&cond, &mutex) == 0);
        count++;
        REQUIRE(pthread_cond_broadcast(&cond) == 0);
        REQUIRE(pthread_mutex_unlock(&mutex) == 0);
    }
    return NULL;
}

static void *read_and_write(void *arg) {
    for (int i = 0; i < TURNS; i++)
        if (i % 4 == (long)arg) {
            REQUIRE(pthread_rwlock_wrlock(&rwlock) == 0);
            REQUIRE(readers == 0);
            pair[0]++;
            pair[1]++;
            REQUIRE(pthread_rwlock_unlock(&rwlock) == 0);
        } else {
            REQUIRE(pthread_rwlock_rdlock(&rwlock) == 0);
            readers++;
            REQUIRE(pair[0] == pair[1]);
            readers--;
            REQUIRE(pthread_rwlock_unlock(&rwlock) == 0);
        }
    return NULL;
}

static void *meet(void *arg) {
    for (int i = 0; i < 100; i++) {
        phases[(long)arg]++;
        int result = pthread_barrier_wait(&barrier);
        REQUIRE(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
        serial += result == PTHREAD_BARRIER_SERIAL_THREAD;
        for (int other = 0; other < THREADS; other++)
            REQUIRE(phases[other] == i + 1);
        pthread_barrier_wait(&barrier);
    }
    return NULL;
}

static void *spin_and_post(void *arg) {
    for (int i = 0; i < 200; i++) {
        REQUIRE(pthread_spin_lock(&spin) == 0);
        count++;
        REQUIRE(pthread_spin_unlock(&spin) == 0);
        REQUIRE(sem_post(&sem) == 0);
    }
    return arg;
}

static void *take_all(void *arg) {
    for (int i = 0; i < THREADS * 200; i++)
        sem_wait_for(&sem);
    return arg;
}

static void do_once(void) {
    sleep_ms(5);
    done_once++;
}

static void *need_it(void *arg) {
    REQUIRE(pthread_once(&once, do_once) == 0);
    REQUIRE(done_once == 1);
    return arg;
}

static void time_limits(void) {
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    REQUIRE(pthread_mutex_lock(&mutex) == 0);
    CHECK_EQ(pthread_cond_timedwait(&cond, &mutex, &at), ETIMEDOUT);
    CHECK_EQ(pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &(struct timespec){1, 0}), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_timedlock(&mutex, &at), ETIMEDOUT);
    CHECK_EQ(pthread_mutex_trylock(&mutex), EBUSY);
    CHECK_EQ(pthread_mutex_unlock(&mutex), 0);
    CHECK_EQ(pthread_rwlock_wrlock(&rwlock), 0);
    CHECK_EQ(pthread_rwlock_tryrdlock(&rwlock), EBUSY);
    CHECK_EQ(pthread_rwlock_timedrdlock(&rwlock, &at), EDEADLK);
    CHECK_EQ(pthread_rwlock_unlock(&rwlock), 0);
    CHECK_ERR(sem_timedwait(&sem, &at), ETIMEDOUT);
    CHECK_ERR(sem_trywait(&sem), EAGAIN);
}

// Semaphore and barrier in memory that processes share.
static void between_processes(void) {
    struct { sem_t sem; pthread_barrier_t barrier; long count; } *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pthread_barrierattr_t attr;
    pthread_barrierattr_init(&attr);
    pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    REQUIRE(sem_init(&shared->sem, 1, 1) == 0 && pthread_barrier_init(&shared->barrier, &attr, 3) == 0);
    for (int i = 0; i < 3; i++)
        if (fork() == 0) {
            pthread_barrier_wait(&shared->barrier);
            for (int turn = 0; turn < 500; turn++) {
                sem_wait_for(&shared->sem);
                shared->count++;
                sem_post(&shared->sem);
            }
            _exit(0);
        }
    while (wait(NULL) > 0)
        ;
    CHECK_EQ(shared->count, 1500);
}

int main(void) {
    mutexes();
    REQUIRE(pthread_mutex_init(&mutex, NULL) == 0 && pthread_spin_init(&spin, 0) == 0);
    REQUIRE(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    REQUIRE(sem_init(&sem, 0, 0) == 0 && sem_init(&named_like, 0, 1) == 0);
    count = 0;
    in_threads(pass_tokens);
    CHECK_EQ(count, 300 * THREADS);
    in_threads(read_and_write);
    CHECK_EQ(pair[0], TURNS);
    in_threads(meet);
    CHECK_EQ(serial, 100);
    count = 0;
    pthread_t taker = start(take_all, NULL);
    in_threads(spin_and_post);
    join(taker);
    CHECK_EQ(count, 200 * THREADS);
    in_threads(need_it);
    CHECK_EQ(done_once, 1);
    time_limits();
    between_processes();
    return CHECK_DONE();
}
