// cflags: -pthread
// Timers that start a function in a thread, or send a signal to one; processor-time clocks of threads.
#include "check.h"
#include "threads/threads.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static sem_t fired, ready, go;
static atomic_int tid, handled, wrong, functions;
static timer_t to_thread;

static void on_timer(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)context;
    if (gettid() != tid || info->si_code != SI_TIMER || info->si_value.sival_int != 5)
        wrong++;
    if (++handled == 10)
        sem_post(&fired);
}

static void *be_signalled(void *arg) {
    tid = gettid();
    sem_post(&ready);
    sem_wait_for(&go);
    return arg;
}

static void signal_to_one(void) {
    struct sigaction action = {.sa_sigaction = on_timer, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigaction(SIGRTMIN + 1, &action, NULL);
    pthread_t thread = start(be_signalled, NULL);
    sem_wait_for(&ready);
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGRTMIN + 1};
    event.sigev_value.sival_int = 5;
    event.sigev_notify_thread_id = tid;
    CHECK_OK(timer_create(CLOCK_MONOTONIC, &event, &to_thread));
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    CHECK_OK(timer_settime(to_thread, 0, &every, NULL));
    sem_wait_for(&fired);
    CHECK_OK(timer_delete(to_thread));
    CHECK_EQ(wrong, 0);
    sem_post(&go);
    join(thread);
    event.sigev_notify_thread_id = 1;
    CHECK_ERR(timer_create(CLOCK_MONOTONIC, &event, &to_thread), EINVAL);
}

static void run(union sigval value) {
    if (value.sival_int != 6)
        wrong++;
    functions++;
    sem_post(&fired);
}

static void function_in_a_thread(void) {
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = run};
    event.sigev_value.sival_int = 6;
    timer_t timer;
    CHECK_OK(timer_create(CLOCK_REALTIME, &event, &timer));
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    CHECK_OK(timer_settime(timer, 0, &every, NULL));
    for (int i = 0; i < 5; i++)
        sem_wait_for(&fired);
    CHECK_OK(timer_delete(timer));
    CHECK_EQ(wrong, 0);
}

static double seconds(clockid_t clock) {
    struct timespec at;
    REQUIRE(clock_gettime(clock, &at) == 0);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static void *work(void *arg) {
    while (seconds(CLOCK_THREAD_CPUTIME_ID) < 0.05)
        for (volatile int i = 0; i < 10000; i++)
            ;
    sem_post(&ready);
    sem_wait_for(&go);
    return arg;
}

static void clocks(void) {
    clockid_t clock;
    double process = seconds(CLOCK_PROCESS_CPUTIME_ID), own = seconds(CLOCK_THREAD_CPUTIME_ID);
    pthread_t threads[2] = {start(work, NULL), start(work, NULL)};
    sem_wait_for(&ready);
    sem_wait_for(&ready);
    for (int i = 0; i < 2; i++) {
        CHECK_EQ(pthread_getcpuclockid(threads[i], &clock), 0);
        CHECK(seconds(clock) >= 0.05);
    }
    // The time of others is not in the thread's own, however long it took to start them.
    own = seconds(CLOCK_THREAD_CPUTIME_ID) - own;
    process = seconds(CLOCK_PROCESS_CPUTIME_ID) - process;
    CHECK(own > 0 && process - own >= 0.1);
    sem_post(&go);
    sem_post(&go);
    join(threads[0]);
    join(threads[1]);
}

int main(void) {
    REQUIRE(sem_init(&fired, 0, 0) == 0 && sem_init(&ready, 0, 0) == 0 && sem_init(&go, 0, 0) == 0);
    signal_to_one();
    clocks();
    function_in_a_thread();
    return CHECK_DONE();
}
