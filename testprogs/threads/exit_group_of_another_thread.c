// cflags: -pthread
// A thread that is not the first ends the process while that waits for it.
#include "check.h"
#include <pthread.h>

static void *work(void *arg) {
    usleep(10000);
    _exit(23);
    return arg;
}

int main(void) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, 0, work, 0) == 0);
    pthread_join(thread, 0);
    return 1;
}
