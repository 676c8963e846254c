/* All that differs from run to run on a machine: random bytes, time, numbers of processes, and the order of threads. */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static char order[512];
static int at, turns;

static void *work(void *arg)
{
    char name = 'a' + (char)(intptr_t)arg;
    for (int i = 0; i < 25; i++) {
        struct timespec pause = { 0, 1000 * (rand() % 50) };
        if (i % 8 == 0)
            nanosleep(&pause, NULL);
        pthread_mutex_lock(&lock);
        order[at++] = name;
        turns++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&lock);
        syscall(SYS_getppid);
    }
    return (void *)(intptr_t)syscall(SYS_gettid);
}

int main(void)
{
    uint64_t random[3] = { 0 }, *at_random = (uint64_t *)getauxval(AT_RANDOM);
    if (getrandom(&random[0], 8, 0) != 8)
        return 1;
    int fd = open("/dev/urandom", O_RDONLY);
    if (read(fd, &random[1], 16) != 16)
        return 1;
    printf("%016lx %016lx %016lx %016lx\n", at_random[0], random[0], random[1], random[2]);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    printf("%ld.%09ld %d %d\n", now.tv_sec, now.tv_nsec, getpid(), getppid());
    pthread_t threads[4];
    for (intptr_t i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, work, (void *)i);
    pthread_mutex_lock(&lock);
    while (turns < 50)
        pthread_cond_wait(&changed, &lock);
    printf("half: %d\n", turns);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 4; i++) {
        void *tid;
        pthread_join(threads[i], &tid);
        printf("%ld ", (long)(intptr_t)tid);
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    printf("\n%s\n%ld.%09ld\n", order, now.tv_sec, now.tv_nsec);
    return 0;
}
