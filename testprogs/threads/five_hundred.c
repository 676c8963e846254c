// cflags: -pthread
// 500 threads at once, twice; the second round finds what the first left.
#include "check.h"
#include <pthread.h>

enum { COUNT = 500 };
static pthread_barrier_t all_there;

static void *work(void *arg) {
    long number = (long)arg;
    int serial = pthread_barrier_wait(&all_there);
    REQUIRE(serial == 0 || serial == PTHREAD_BARRIER_SERIAL_THREAD);
    return (void *)(number + 1);
}

int main(void) {
    static pthread_t threads[COUNT];
    pthread_attr_t attr;
    REQUIRE(pthread_attr_init(&attr) == 0);
    REQUIRE(pthread_attr_setstacksize(&attr, 65536) == 0);
    for (int round = 0; round < 2; round++) {
        long sum = 0;
        REQUIRE(pthread_barrier_init(&all_there, 0, COUNT) == 0);
        for (long i = 0; i < COUNT; i++) REQUIRE(pthread_create(&threads[i], &attr, work, (void *)i) == 0);
        for (int i = 0; i < COUNT; i++) {
            void *result;
            REQUIRE(pthread_join(threads[i], &result) == 0);
            sum += (long)result;
        }
        printf("round %d: %ld\n", round, sum);
    }
    return 0;
}
