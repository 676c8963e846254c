// cflags: -pthread
// pthread_cancel: deferred in calls that wait, asynchronous in user code; cleanup handlers in order,
// destructors of keys, and what a thread that may not be cancelled does.
#include "check.h"
#include "threads/threads.h"
#include <poll.h>
#include <sys/socket.h>

static sem_t ready, never;
static atomic_int order, first_at, second_at, destroyed_at, tid;
static pthread_key_t key;
static int ends[2], pair[2];

static void on_first(void *arg) { first_at = ++order + 10 * (int)(long)arg; }
static void on_second(void *arg) { second_at = ++order + 10 * (int)(long)arg; }
static void destroy(void *arg) { destroyed_at = ++order + 10 * (int)(long)arg; }

static void wait_in_read(void) {
    char byte;
    read(ends[0], &byte, 1);
}
static void wait_in_recv(void) {
    char byte;
    recv(pair[0], &byte, 1, 0);
}
static void wait_in_sem(void) { sem_wait(&never); }
static void wait_in_pause(void) { pause(); }
static void wait_in_poll(void) { poll(NULL, 0, -1); }
static void wait_in_nanosleep(void) { nanosleep(&(struct timespec){3600, 0}, NULL); }
static void wait_in_sigwait(void) {
    sigset_t set;
    int signal;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigwait(&set, &signal);
}
static void unlock(void *mutex) { pthread_mutex_unlock(mutex); }
static void wait_in_cond(void) {
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    pthread_mutex_lock(&mutex);
    pthread_cleanup_push(unlock, &mutex);
    pthread_cond_wait(&cond, &mutex);
    pthread_cleanup_pop(1);
}
static atomic_int child;
static void wait_in_child(void) {
    child = fork();
    if (child == 0)
        for (;;)
            pause();
    waitpid(child, NULL, 0);
}
static void compute(void) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    tid = -1;
    for (;;)
        __asm__ volatile("pause");
}

static void *run(void *arg) {
    pthread_setspecific(key, (void *)3);
    pthread_cleanup_push(on_first, (void *)1);
    pthread_cleanup_push(on_second, (void *)2);
    tid = gettid();
    sem_post(&ready);
    ((void (*)(void))arg)();
    REQUIRE(false);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return NULL;
}

static void cancel(void (*wait)(void), bool waits) {
    order = first_at = second_at = destroyed_at = tid = 0;
    pthread_t thread = start(run, (void *)wait);
    sem_wait_for(&ready);
    if (waits)
        until_asleep(getpid(), tid);
    else
        while (tid != -1)
            sched_yield();
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK(join(thread) == PTHREAD_CANCELED);
    CHECK_EQ(second_at, 21);
    CHECK_EQ(first_at, 12);
    CHECK_EQ(destroyed_at, 33);
}

// It may not be cancelled until it says so.
static void *disabled(void *arg) {
    int old;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old);
    REQUIRE(old == PTHREAD_CANCEL_ENABLE);
    sem_post(&ready);
    char byte = 0;
    REQUIRE(read(ends[0], &byte, 1) == 1 && byte == 'x');
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, NULL);
    order = 77;
    pthread_testcancel();
    REQUIRE(false);
    return arg;
}

int main(void) {
    REQUIRE(sem_init(&ready, 0, 0) == 0 && sem_init(&never, 0, 0) == 0 && pipe(ends) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    CHECK_EQ(pthread_key_create(&key, destroy), 0);
    cancel(wait_in_read, true);
    cancel(wait_in_recv, true);
    cancel(wait_in_sem, true);
    cancel(wait_in_pause, true);
    cancel(wait_in_poll, true);
    cancel(wait_in_nanosleep, true);
    cancel(wait_in_sigwait, true);
    cancel(wait_in_cond, true);
    for (int i = 0; i < 20; i++)
        cancel(compute, false);

    pthread_t thread = start(disabled, NULL);
    sem_wait_for(&ready);
    CHECK_EQ(pthread_cancel(thread), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK(join(thread) == PTHREAD_CANCELED);
    CHECK_EQ(order, 77);

    cancel(wait_in_child, true);
    int status;
    CHECK_OK(kill(child, SIGTERM));
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WTERMSIG(status), SIGTERM);
    return CHECK_DONE();
}
