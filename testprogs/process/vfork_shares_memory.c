// vfork(2) and clone(2) with CLONE_VM and CLONE_VFORK: one memory, and the parent waits.
#include "check.h"
#include "process/process.h"
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static volatile int word;
static int *volatile grown;

static int child(void *argument) {
    word += *(int *)argument;
    usleep(20000);
    word *= 2;
    return 6;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return 17;
    pid_t pid = vfork();
    if (pid == 0) {
        word = 1;
        grown = mmap(NULL, 1 << 22, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        grown[1000] = 1001;
        usleep(20000);
        word = 2;
        _exit(5);
    }
    CHECK_EQ(word, 2);
    CHECK_EQ(grown[1000], 1001);
    grown[1 << 19] = 3;
    CHECK_OK(munmap(grown, 1 << 22));
    CHECK_EQ(code_of(wait_for(pid)), 5);

    static char stack[1 << 16] __attribute__((aligned(16)));
    int argument = 40, child_tid = -1, parent_tid = -1;
    word = 2;
    pid = CHECK_OK(clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | CLONE_PARENT_SETTID |
                   CLONE_CHILD_CLEARTID | SIGCHLD, &argument, &parent_tid, NULL, &child_tid));
    CHECK_EQ(word, 84);
    CHECK_EQ(parent_tid, pid);
    CHECK_EQ(child_tid, 0);
    CHECK_EQ(code_of(wait_for(pid)), 6);

    // The parent goes on as soon as the child executes a program.
    pid = vfork();
    if (pid == 0) {
        char *args[] = {argv[0], "again", NULL};
        execve("/proc/self/exe", args, (char *[]){NULL});
        _exit(99);
    }
    CHECK_EQ(code_of(wait_for(pid)), 17);

    // Signal dispositions, limits and descriptors are the child's own.
    struct rlimit before, after, low;
    CHECK_OK(getrlimit(RLIMIT_AS, &before));
    low = (struct rlimit){before.rlim_max / 2, before.rlim_max};
    pid = vfork();
    if (pid == 0) {
        signal(SIGUSR1, SIG_IGN);
        signal(SIGSEGV, SIG_IGN);
        setrlimit(RLIMIT_AS, &low);
        close(0);
        _exit(0);
    }
    CHECK_EQ(code_of(wait_for(pid)), 0);
    CHECK(signal(SIGUSR1, SIG_DFL) == SIG_DFL);
    CHECK_OK(getrlimit(RLIMIT_AS, &after));
    CHECK(after.rlim_cur == before.rlim_cur && after.rlim_max == before.rlim_max);
    CHECK(fcntl(0, F_GETFD) >= 0);

    // A child that dies by a signal, and many in a row.
    pid = vfork();
    if (pid == 0)
        kill(getpid(), SIGKILL);
    CHECK_EQ(code_of(wait_for(pid)), 1000 + SIGKILL);
    CHECK_EQ(prctl(PR_SET_DUMPABLE, 1), 0);
    pid = vfork();
    if (pid == 0)
        kill(getpid(), SIGTERM);
    CHECK_EQ(code_of(wait_for(pid)), 1000 + SIGTERM);
    CHECK_EQ(prctl(PR_GET_DUMPABLE), 1);
    static volatile int right, i;
    for (i = 0; i < 40; i++) {
        pid = vfork();
        if (pid == 0)
            _exit(i);
        right += code_of(wait_for(pid)) == i;
    }
    CHECK_EQ(right, 40);
    return CHECK_DONE();
}
