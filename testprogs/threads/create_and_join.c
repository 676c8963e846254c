// cflags: -pthread
// Threads share memory, have stacks, ids and thread-local variables of their own, and give back a value.
#include "check.h"
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

static __thread int own = 7;
static int shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *arg) {
    long number = (long)arg;
    REQUIRE(own == 7);
    own = (int)number;
    for (int i = 0; i < 1000; i++) {
        pthread_mutex_lock(&lock);
        shared++;
        pthread_mutex_unlock(&lock);
    }
    REQUIRE(own == number);
    REQUIRE(syscall(SYS_gettid) != getpid());
    return (void *)(number * number);
}

int main(void) {
    pthread_t threads[8];
    for (long i = 0; i < 8; i++) REQUIRE(pthread_create(&threads[i], 0, work, (void *)(i + 1)) == 0);
    for (long i = 0; i < 8; i++) {
        void *result;
        REQUIRE(pthread_join(threads[i], &result) == 0);
        printf("%ld\n", (long)result);
    }
    REQUIRE(own == 7);
    printf("shared %d\n", shared);
    return 0;
}
