// cflags: -pthread
// With RLIMIT_NPROC used up, threads and processes cannot be made: EAGAIN, without harm to the rest.
// Run by root, it goes on as a user who has no other process.
#include "check.h"
#include "threads/threads.h"
#include <sys/resource.h>

#define MOST 12

static sem_t go;

static atomic_int tids[MOST + 1];

static void *wait_idly(void *arg) {
    tids[(long)arg] = gettid();
    sem_wait_for(&go);
    return arg;
}

// A thread that was joined is there a little longer.
static void until_gone(pid_t tid) {
    while (syscall(SYS_tgkill, getpid(), tid, 0) == 0)
        sched_yield();
}

int main(void) {
    struct rlimit limit = {MOST, MOST};
    if (getuid() != 0) {
        // Its other processes would count.
        printf("skip: another user has other processes\n");
        return 0;
    }
    REQUIRE(sem_init(&go, 0, 0) == 0);
    CHECK_OK(setrlimit(RLIMIT_NPROC, &limit));
    uid_t user = 1000000000u + (uid_t)getpid();
    CHECK_OK(setresgid(user, user, user));
    CHECK_OK(setresuid(user, user, user));
    for (int round = 0; round < 3; round++) {
        pthread_t threads[MOST + 1];
        int made = 0, error = 0;
        while (made <= MOST && (error = pthread_create(&threads[made], NULL, wait_idly, (void *)(long)made)) == 0)
            made++;
        CHECK_EQ(error, EAGAIN);
        CHECK_EQ(made, MOST - 1);
        CHECK_ERR(fork(), EAGAIN);
        for (int i = 0; i < made; i++)
            sem_post(&go);
        for (int i = 0; i < made; i++)
            join(threads[i]);
        for (int i = 0; i < made; i++)
            until_gone(tids[i]);
        pid_t child = fork();
        if (child == 0)
            _exit(4);
        int status;
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(WEXITSTATUS(status), 4);
    }
    return CHECK_DONE();
}
