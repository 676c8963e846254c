// cflags: -pthread
// getpid(2), gettid(2), getuid(2) and their like tell the truth at once: in children, in threads, after set*id(2), in a
// user namespace that gets its map later, and while signals come.
#include "check.h"
#include "clean_call.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

static pid_t asked(int number) { return (pid_t)syscall(number); }

static int in_child(int (*body)(void)) {
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status;
    REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

static pid_t parent;

static int has_own_pid(void) {
    pid_t self = asked(SYS_getpid);
    return self == asked(SYS_gettid) && self != parent && asked(SYS_getppid) == parent;
}

static void *tell_tid(void *arg) {
    REQUIRE(asked(SYS_getpid) == parent);
    *(pid_t *)arg = asked(SYS_gettid);
    return NULL;
}

static void children_and_threads(void) {
    CHECK_EQ(in_child(has_own_pid), 1);
    static volatile pid_t inside;
    pid_t child = vfork();
    if (child == 0) {
        inside = asked(SYS_getpid);
        _exit(inside == asked(SYS_gettid));
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(inside == child && WEXITSTATUS(status) == 1);
    CHECK(asked(SYS_getpid) == parent && asked(SYS_gettid) == parent);
    pthread_t threads[12];
    pid_t tids[12];
    for (int i = 0; i < 12; i++)
        REQUIRE(pthread_create(&threads[i], NULL, tell_tid, &tids[i]) == 0);
    int distinct = 0;
    for (int i = 0; i < 12; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 12; i++)
        distinct += tids[i] != parent && tids[i] > 0;
    CHECK_EQ(distinct, 12);
}

// The raw call changes the ids of one thread.
static void *change_own(void *arg) {
    REQUIRE(syscall(SYS_setresgid, 1001, 1002, 1003) == 0 && syscall(SYS_setresuid, 2001, 2002, 2003) == 0);
    REQUIRE(asked(SYS_getuid) == 2001 && asked(SYS_geteuid) == 2002);
    REQUIRE(asked(SYS_getgid) == 1001 && asked(SYS_getegid) == 1002);
    REQUIRE(syscall(SYS_setresuid, -1, 2003, -1) == 0 && asked(SYS_geteuid) == 2003);
    return arg;
}

static int change_ids(void) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, change_own, NULL) == 0);
    pthread_join(thread, NULL);
    if (asked(SYS_getuid) != 0 || asked(SYS_getegid) != 0)
        return 1;
    REQUIRE(setregid(5, 6) == 0 && asked(SYS_getgid) == 5 && asked(SYS_getegid) == 6);
    REQUIRE(setgid(6) == 0 && asked(SYS_getgid) == 6);
    REQUIRE(setreuid(-1, 8) == 0 && asked(SYS_getuid) == 0 && asked(SYS_geteuid) == 8);
    REQUIRE(seteuid(0) == 0 && setuid(9) == 0 && asked(SYS_getuid) == 9 && asked(SYS_geteuid) == 9);
    // A child and a thread begin with what there is now.
    return in_child((int (*)(void))getuid) == 9 ? 0 : 2;
}

static int to_parent[2], to_child[2];

static int get_mapped(void) {
    char byte;
    if (unshare(CLONE_NEWUSER) != 0)
        return write(to_parent[1], "-", 1) == 1 ? 3 : 4;
    uid_t before = (uid_t)asked(SYS_getuid);
    REQUIRE(write(to_parent[1], "u", 1) == 1 && read(to_child[0], &byte, 1) == 1);
    return before == 65534 && asked(SYS_getuid) == 7 && asked(SYS_geteuid) == 7 ? 0 : 1;
}

// The map of a user namespace comes from outside, and the answers change with it.
static void mapped_later(void) {
    CHECK_OK(pipe(to_parent));
    CHECK_OK(pipe(to_child));
    uid_t own = getuid();
    pid_t child = fork();
    if (child == 0)
        _exit(get_mapped());
    char byte, path[64], map[64];
    CHECK_EQ(read(to_parent[0], &byte, 1), 1);
    if (byte == 'u') {
        snprintf(path, sizeof path, "/proc/%d/uid_map", child);
        int length = snprintf(map, sizeof map, "7 %u 1\n", own), fd = CHECK_OK(open(path, O_WRONLY));
        CHECK_EQ(write(fd, map, (size_t)length), length);
        CHECK_EQ(write(to_child[1], "m", 1), 1);
    }
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), byte == 'u' ? 0 : 3);
}

static volatile int ticks;

static void on_alarm(int signal) {
    (void)signal;
    ticks++;
}

static bool asks_cleanly(unsigned turn, long number, long expected) {
    return calls_cleanly(turn, expected, number, 1, 2, 3);
}

static void while_signals_come(void) {
    struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
    CHECK_OK(sigaction(SIGALRM, &action, NULL));
    unsigned long wrong = 0;
    // One at a time: where a handler takes longer than a period, nothing else would get its turn.
    for (int round = 0; round < 300; round++) {
        REQUIRE(setitimer(ITIMER_REAL, &(struct itimerval){.it_value.tv_usec = 100 + round}, NULL) == 0);
        for (unsigned i = 0; ticks == round; i++) {
            wrong += !asks_cleanly(i, SYS_getpid, parent) || !asks_cleanly(i, SYS_gettid, parent);
            wrong += !asks_cleanly(i, SYS_getuid, (long)getuid());
        }
    }
    CHECK_EQ(wrong, 0);
}

int main(void) {
    parent = asked(SYS_getpid);
    CHECK_EQ(parent, asked(SYS_gettid));
    children_and_threads();
    if (geteuid() == 0)
        CHECK_EQ(in_child(change_ids), 0);
    mapped_later();
    while_signals_come();
    return CHECK_DONE();
}
