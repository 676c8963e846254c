// cflags: -pthread
// SIGSTOP stops all threads of a process, wherever they are, and SIGCONT lets all go on; waits and calls
// that were stopped go on as if nothing had been.
#include "check.h"
#include "threads/threads.h"

struct shared {
    atomic_long counters[2];
    atomic_int tids[4];
    sem_t sem;
};

static struct shared *shared;
static int ends[2];
static atomic_bool stop;

static void *count(void *arg) {
    shared->tids[(long)arg] = gettid();
    while (!stop)
        shared->counters[(long)arg]++;
    return NULL;
}

static void *wait_in_read(void *arg) {
    char byte;
    shared->tids[2] = gettid();
    REQUIRE(read(ends[0], &byte, 1) == 1 && byte == 'e');
    return arg;
}

static void *wait_in_sem(void *arg) {
    shared->tids[3] = gettid();
    REQUIRE(sem_wait(&shared->sem) == 0);
    return arg;
}

static int be_child(void) {
    pthread_t threads[4] = {start(count, (void *)0), start(count, (void *)1), start(wait_in_read, NULL),
                            start(wait_in_sem, NULL)};
    join(threads[2]);
    join(threads[3]);
    stop = true;
    join(threads[0]);
    join(threads[1]);
    return 19;
}

static void until_stopped(pid_t child) {
    for (int i = 0; i < 4; i++)
        while (state_of(child, shared->tids[i]) != 'T')
            sleep_ms(1);
}

static void until_counted(void) {
    for (int i = 0; i < 2; i++)
        for (long before = shared->counters[i]; shared->counters[i] == before;)
            sleep_ms(1);
}

int main(void) {
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(shared != MAP_FAILED && pipe(ends) == 0 && sem_init(&shared->sem, 1, 0) == 0);
    pid_t child = fork();
    if (child == 0)
        _exit(be_child());
    int status;
    for (int i = 0; i < 4; i++)
        while (shared->tids[i] == 0)
            sleep_ms(1);
    for (int round = 0; round < 5; round++) {
        until_counted();
        REQUIRE(kill(child, SIGSTOP) == 0);
        CHECK_EQ(waitpid(child, &status, WUNTRACED), child);
        CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
        until_stopped(child);
        long before = shared->counters[0] + shared->counters[1];
        sleep_ms(5);
        CHECK_EQ(shared->counters[0] + shared->counters[1], before);
        REQUIRE(kill(child, SIGCONT) == 0);
        CHECK_EQ(waitpid(child, &status, WCONTINUED), child);
        CHECK(WIFCONTINUED(status));
    }
    until_counted();
    until_asleep(child, shared->tids[2]);
    CHECK_EQ(write(ends[1], "e", 1), 1);
    CHECK_OK(sem_post(&shared->sem));
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 19);
    return CHECK_DONE();
}
