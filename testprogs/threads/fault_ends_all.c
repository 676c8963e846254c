// cflags: -pthread
// A fatal signal of one thread ends the process.
#include "check.h"
#include <pthread.h>

static void *work(void *arg) {
    usleep(10000);
    *(volatile int *)8 = 1;
    return arg;
}

int main(void) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, 0, work, 0) == 0);
    pthread_join(thread, 0);
    return 1;
}
