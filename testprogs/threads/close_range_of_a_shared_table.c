// cflags: -pthread
// close_range(2) with CLOSE_RANGE_UNSHARE in a thread: it closes in a table of its own, and threads start on both sides.
#include "check.h"
#include "threads/threads.h"
#include <linux/close_range.h>

enum { MANY = 40 };
static pthread_barrier_t all;

static void *meet(void *arg) {
    pthread_barrier_wait(&all);
    return arg;
}

static void many_at_once(int count) {
    pthread_t threads[MANY];
    REQUIRE(pthread_barrier_init(&all, NULL, (unsigned)count) == 0);
    for (int i = 0; i < count; i++)
        threads[i] = start(meet, NULL);
    for (int i = 0; i < count; i++)
        join(threads[i]);
}

static bool is_open(int fd) { return fcntl(fd, F_GETFD) >= 0; }

static void *close_in_own_table(void *arg) {
    REQUIRE(close_range(3, ~0u, CLOSE_RANGE_UNSHARE) == 0);
    REQUIRE(!is_open(50) && dup2(0, 100) == 100);
    many_at_once(MANY / 2);
    REQUIRE(is_open(100) && !is_open(50));
    return arg;
}

int main(void) {
    CHECK_EQ(dup2(0, 50), 50);
    join(start(close_in_own_table, NULL));
    CHECK(is_open(50) && !is_open(100));
    // More than the other table ever had.
    many_at_once(MANY);
    CHECK(is_open(50) && !is_open(100));
    return CHECK_DONE();
}
