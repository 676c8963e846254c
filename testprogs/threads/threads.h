// What the programs with threads share. Include it after check.h.
#ifndef THREADS_H
#define THREADS_H

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

// Seconds since some time.
static inline double now(void) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static inline void sleep_ms(long milliseconds) {
    nanosleep(&(struct timespec){milliseconds / 1000, milliseconds % 1000 * 1000000}, NULL);
}

static inline pthread_t start(void *(*run)(void *), void *arg) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, run, arg) == 0);
    return thread;
}

static inline void *join(pthread_t thread) {
    void *result;
    REQUIRE(pthread_join(thread, &result) == 0);
    return result;
}

static inline void sem_wait_for(sem_t *sem) {
    while (sem_wait(sem) != 0)
        REQUIRE(errno == EINTR);
}

static inline long futex(void *word, int op, unsigned value, const void *timeout, void *second, unsigned value3) {
    return syscall(SYS_futex, word, op, value, timeout, second, value3);
}

// The letter of a thread's state in /proc, or 0 when there is no such thread.
static inline char state_of(pid_t process, pid_t thread) {
    char path[64], text[256];
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", process, thread);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = 0;
    char *name_end = strrchr(text, ')');
    return name_end ? name_end[2] : 0;
}

// Waits until a thread, of which it is known that it will, waits in the kernel, or has ended.
static inline void until_asleep(pid_t process, pid_t thread) {
    for (int seen = 0; seen < 3;) {
        char state = state_of(process, thread);
        seen = state == 'S' || state == 'Z' || state == 0 ? seen + 1 : 0;
        sleep_ms(1);
    }
}

#endif
