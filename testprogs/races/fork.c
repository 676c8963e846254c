// cflags: -pthread
// Threads that fork while others map, allocate, make threads and take signals; each child is whole: it
// allocates, maps, starts a thread, forks, and leaves.
#include "check.h"
#include "races/races.h"
#include <sys/time.h>

#define FORKERS 2
#define FORKS 4

static atomic_bool stop;
static atomic_long ticks;

static void *allocate(void *arg) {
    unsigned long long seed = 7 + (unsigned long long)(long)arg;
    while (!stop) {
        size_t size = 1 + random_below(&seed, 300000);
        char *block = malloc(size);
        REQUIRE(block != NULL);
        block[0] = block[size - 1] = 1;
        free(block);
    }
    return NULL;
}

static void *map(void *arg) {
    unsigned long long seed = 77;
    while (!stop) {
        size_t size = (1 + random_below(&seed, 600)) * 4096;
        char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        REQUIRE(at != MAP_FAILED);
        at[size - 1] = at[size / 2] = 1;
        REQUIRE(mprotect(at, size / 2, PROT_READ) == 0 && at[0] == 0);
        REQUIRE(munmap(at, size) == 0);
    }
    return arg;
}

static void *nothing(void *arg) { return arg; }

static void *make_threads(void *arg) {
    while (!stop)
        REQUIRE(join(start(nothing, (void *)5)) == (void *)5);
    return arg;
}

static void on_tick(int signal) {
    (void)signal;
    ticks++;
}

static int be_child(long number) {
    char *block = malloc(100000);
    memset(block, (int)number, 100000);
    char *at = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(at != MAP_FAILED);
    memset(at, 1, 1 << 20);
    REQUIRE(join(start(nothing, block)) == block);
    pid_t child = fork();
    if (child == 0)
        _exit(block[99999] == number ? 21 : 1);
    int status;
    while (waitpid(child, &status, 0) != child)
        REQUIRE(errno == EINTR);
    return WIFEXITED(status) && WEXITSTATUS(status) == 21 ? 20 : 2;
}

static void *fork_often(void *arg) {
    for (long i = 0; i < FORKS; i++) {
        pid_t child = fork();
        REQUIRE(child >= 0);
        if (child == 0)
            _exit(be_child(i));
        int status;
        while (waitpid(child, &status, 0) != child)
            REQUIRE(errno == EINTR);
        REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 20);
    }
    return arg;
}

int main(int argc, char **argv) {
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, NULL);
    while (next_round(argc, argv)) {
        stop = false;
        struct itimerval every = {{0, 3000}, {0, 3000}}, never = {{0, 0}, {0, 0}};
        setitimer(ITIMER_REAL, &every, NULL);
        pthread_t others[4] = {start(allocate, NULL), start(allocate, (void *)1), start(map, NULL),
                               start(make_threads, NULL)};
        pthread_t forkers[FORKERS];
        for (int i = 0; i < FORKERS; i++)
            forkers[i] = start(fork_often, NULL);
        for (int i = 0; i < FORKERS; i++)
            join(forkers[i]);
        stop = true;
        for (int i = 0; i < 4; i++)
            join(others[i]);
        setitimer(ITIMER_REAL, &never, NULL);
    }
    return races_done();
}
