// A process that shares the memory while its parent goes on: CLONE_VM without CLONE_VFORK or
// CLONE_THREAD.
#include "check.h"
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static volatile int shared;
static volatile sig_atomic_t handled;

static void on_signal(int signal) { handled = signal; }

// Bare, because the C library's variables are the parent's.
static int child(void *arg) {
    int *report = arg;
    report[0] = (int)syscall(SYS_getpid) == (int)syscall(SYS_gettid);
    report[1] = (int)syscall(SYS_getppid);
    while (shared != 1)
        ;
    shared = 2;
    while (shared != 3)
        ;
    return 7;
}

static int child_executes(void *arg) {
    char *args[] = {arg, "again", 0}, *env[] = {0};
    syscall(SYS_execve, arg, args, env);
    return 1;
}

// Waits until the kernel has cleared the word of a child that ends or executes a program.
static void await_clear(int *word) {
    for (int tid; (tid = __atomic_load_n(word, __ATOMIC_SEQ_CST)) != 0;)
        syscall(SYS_futex, word, FUTEX_WAIT, tid, 0, 0, 0);
}

static int child_acts(void *arg) {
    (void)arg;
    struct {
        void (*handler)(int);
        unsigned long flags;
        void (*restorer)(void);
        unsigned long mask;
    } action = {SIG_IGN, 0, 0, 0};
    syscall(SYS_rt_sigaction, SIGUSR1, &action, 0, 8);
    return 0;
}

static bool ignores_sigusr1(void) {
    struct sigaction action;
    sigaction(SIGUSR1, 0, &action);
    return action.sa_handler == SIG_IGN;
}

int main(int argc, char **argv) {
    if (argc == 2)
        return 8;
    char *stack = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(stack != MAP_FAILED);
    int report[2] = {0}, status;
    pid_t pid = clone(child, stack + 65536, CLONE_VM | SIGCHLD, report);
    CHECK(pid > 0);
    shared = 1;
    while (shared != 2)
        ;
    CHECK_EQ(waitpid(pid, &status, WNOHANG), 0);
    shared = 3;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    CHECK_EQ(report[0], 1);
    CHECK_EQ(report[1], getpid());

    // Actions of signals are its own, or shared.
    signal(SIGUSR1, on_signal);
    pid = clone(child_acts, stack + 65536, CLONE_VM | SIGCHLD, 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(!ignores_sigusr1());
    pid = clone(child_acts, stack + 65536, CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD, 0);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(ignores_sigusr1());
    signal(SIGUSR1, on_signal);
    CHECK_OK(raise(SIGUSR1));
    CHECK_EQ(handled, SIGUSR1);

    // The word that is cleared when the memory is left.
    int word = 0, flags = CLONE_VM | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD;
    shared = 1;
    pid = clone(child, stack + 65536, flags, report, 0, 0, &word);
    while (shared != 2)
        ;
    CHECK_EQ(word, pid);
    shared = 3;
    await_clear(&word);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    word = -1;
    pid = clone(child_executes, stack + 65536, flags, argv[0], 0, 0, &word);
    await_clear(&word);
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 8);

    // A child that tells nobody of its end is found by __WCLONE alone.
    shared = 1;
    pid = clone(child, stack + 65536, CLONE_VM, report);
    while (shared != 2)
        ;
    shared = 3;
    CHECK_ERR(waitpid(pid, &status, 0), ECHILD);
    CHECK_EQ(waitpid(pid, &status, __WCLONE), pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    return CHECK_DONE();
}
