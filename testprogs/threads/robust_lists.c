// cflags: -pthread
// Robust lists made by hand: what is marked when a thread, a process, or all threads but the one that
// executes a program end, and whose list get_robust_list(2) shows.
#include "check.h"
#include "threads/threads.h"

struct entry {
    struct entry *next;
    unsigned word;
};

struct head {
    struct entry *next;
    long offset;
    struct entry *pending;
};

#define ENTRIES 40

// Shared with children.
static struct lists {
    struct head head;
    struct entry entries[ENTRIES];
    struct entry other, last;
    atomic_int tid, woken;
    sem_t ready, go;
} *lists;

static void set_list(struct head *head) { REQUIRE(syscall(SYS_set_robust_list, head, sizeof *head) == 0); }

static struct head *list_of(pid_t tid) {
    struct head *head;
    size_t length;
    long result = syscall(SYS_get_robust_list, tid, &head, &length);
    return result == 0 && length == sizeof *head ? head : (void *)result;
}

// A list of locks that the calling thread holds, every other one with a waiter.
static void hold_all(void) {
    unsigned tid = (unsigned)gettid();
    struct entry *entries = lists->entries;
    for (int i = 0; i < ENTRIES; i++) {
        entries[i].next = i + 1 < ENTRIES ? &entries[i + 1] : (struct entry *)&lists->head;
        entries[i].word = tid | (i % 2 ? FUTEX_WAITERS : 0);
    }
    lists->head = (struct head){entries, offsetof(struct entry, word), NULL};
    set_list(&lists->head);
    lists->tid = (int)tid;
}

static int marked(void) {
    int marked = 0;
    for (int i = 0; i < ENTRIES; i++)
        marked += lists->entries[i].word == (FUTEX_OWNER_DIED | (i % 2 ? FUTEX_WAITERS : 0));
    return marked;
}

static void *hold_and_end(void *arg) {
    hold_all();
    // Another's lock stays as it is, and its neighbours do not.
    lists->entries[20].word = 1;
    sem_post(&lists->ready);
    sem_wait_for(&lists->go);
    return arg;
}

static void *stop_at_misaligned(void *arg) {
    hold_all();
    lists->entries[9].next = (struct entry *)((char *)&lists->entries[10] + 2);
    return arg;
}

static void *wait_for_last(void *arg) {
    lists->woken = gettid();
    REQUIRE(futex(&lists->last.word, FUTEX_WAIT, 0, NULL, NULL, 0) == 0);
    return arg;
}

// Ends after it has unlocked and before it has woken a waiter.
static void *unlock_and_end(void *arg) {
    lists->head = (struct head){(struct entry *)&lists->head, offsetof(struct entry, word), &lists->last};
    set_list(&lists->head);
    return arg;
}

// Ends after it has locked and before it has put the lock into its list.
static void *lock_and_end(void *arg) {
    lists->last.word = (unsigned)gettid() | FUTEX_WAITERS;
    return unlock_and_end(arg);
}

static void threads(void) {
    pthread_t thread = start(hold_and_end, NULL);
    sem_wait_for(&lists->ready);
    CHECK(list_of(lists->tid) == &lists->head);
    CHECK(list_of(0) != &lists->head);
    CHECK(list_of(0) == list_of(getpid()));
    CHECK_EQ(marked(), 0);
    sem_post(&lists->go);
    join(thread);
    CHECK_EQ(marked(), ENTRIES - 1);
    CHECK_EQ(lists->entries[20].word, 1);
    // The kernel takes a thread off its lists a little after those who wait for it go on.
    while (state_of(getpid(), lists->tid) != 0)
        sleep_ms(1);
    CHECK_ERR(list_of(lists->tid), ESRCH);

    join(start(stop_at_misaligned, NULL));
    CHECK_EQ(marked(), 10);

    lists->woken = 0;
    thread = start(wait_for_last, NULL);
    while (lists->woken == 0)
        sched_yield();
    until_asleep(getpid(), lists->woken);
    join(start(unlock_and_end, NULL));
    join(thread);
    CHECK_EQ(lists->last.word, 0);
    join(start(lock_and_end, NULL));
    CHECK_EQ(lists->last.word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
}

static void *hold_for_ever(void *arg) {
    hold_all();
    sem_post(&lists->ready);
    for (;;)
        pause();
    return arg;
}

// Forks a child of which another thread than the first holds the locks, and which then does `end`.
#define IN_CHILD_WITH_LOCKS(end)                                                                   \
    ({                                                                                             \
        int status;                                                                                \
        pid_t child = fork();                                                                      \
        if (child == 0) {                                                                          \
            start(hold_for_ever, NULL);                                                            \
            sem_wait_for(&lists->ready);                                                           \
            end;                                                                                   \
        }                                                                                          \
        REQUIRE(waitpid(child, &status, 0) == child);                                              \
        status;                                                                                    \
    })

static void processes(char *program) {
    char *args[] = {program, "7", NULL};
    CHECK_EQ(WEXITSTATUS(IN_CHILD_WITH_LOCKS(_exit(5))), 5);
    CHECK_EQ(marked(), ENTRIES);
    CHECK_EQ(WEXITSTATUS(IN_CHILD_WITH_LOCKS(execv(program, args))), 7);
    CHECK_EQ(marked(), ENTRIES);
    CHECK_EQ(WTERMSIG(IN_CHILD_WITH_LOCKS(kill(getpid(), SIGTERM))), SIGTERM);
    CHECK_EQ(marked(), ENTRIES);
    CHECK_EQ(WTERMSIG(IN_CHILD_WITH_LOCKS(*(volatile int *)8 = 1)), SIGSEGV);
    CHECK_EQ(marked(), ENTRIES);

    // A child has no list, until its C library gives it one.
    pid_t child = (pid_t)syscall(SYS_fork);
    if (child == 0)
        _exit(list_of(0) == NULL ? 9 : 10);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 9);
}

int main(int argc, char **argv) {
    if (argc == 2)
        return atoi(argv[1]);
    lists = mmap(NULL, sizeof *lists, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    REQUIRE(lists != MAP_FAILED);
    REQUIRE(sem_init(&lists->ready, 1, 0) == 0 && sem_init(&lists->go, 1, 0) == 0);
    struct head *own = list_of(0);
    CHECK(own != NULL);
    CHECK_ERR(syscall(SYS_set_robust_list, own, 23), EINVAL);
    CHECK_ERR(syscall(SYS_get_robust_list, 0, &own, 8), EFAULT);
    threads();
    processes(argv[0]);
    return CHECK_DONE();
}
