// cflags: -pthread
// exit() ends threads that wait in the kernel, run user code, or hold a lock.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <linux/futex.h>

static sem_t ready;
static int word;
static int pipe_ends[2];

static void *in_read(void *arg) {
    char byte;
    sem_post(&ready);
    read(pipe_ends[0], &byte, 1);
    return arg;
}

static void *in_futex(void *arg) {
    sem_post(&ready);
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL);
    return arg;
}

static void *in_poll(void *arg) {
    sem_post(&ready);
    poll(NULL, 0, -1);
    return arg;
}

static void *in_user_code(void *arg) {
    sem_post(&ready);
    for (;;) __asm__ volatile("pause");
    return arg;
}

int main(void) {
    void *(*const kinds[])(void *) = {in_read, in_futex, in_poll, in_user_code, in_user_code};
    REQUIRE(pipe(pipe_ends) == 0 && sem_init(&ready, 0, 0) == 0);
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, 0, kinds[i], 0) == 0);
    }
    for (int i = 0; i < 5; i++) sem_wait(&ready);
    usleep(20000);
    printf("all wait\n");
    fflush(stdout);
    exit(17);
}
