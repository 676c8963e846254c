// clone(2) and clone3(2) where they make a process: words with ids, pidfds, exit signals, a stack, and refusals.
#include "check.h"
#include "process/process.h"
#include <linux/sched.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>

static long raw(unsigned long flags, void *stack, int *parent, int *child) {
    return syscall(SYS_clone, flags, stack, parent, child, 0);
}

static long raw3(struct clone_args *args) { return syscall(SYS_clone3, args, sizeof *args); }

static int on_stack(void *argument) { return *(int *)argument + (int)(getpid() == syscall(SYS_gettid)); }

// The word that clone shall clear at the end, where the parent sees it: it is cleared only in memory that is
// shared as a whole.
static bool is_kept(char *program, int way) {
    int *word = shared_memory(4096);
    long pid = raw(CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, NULL, word);
    if (pid == 0) {
        char *args[] = {program, "again", NULL};
        if (way == SYS_execve)
            execv(program, args);
        syscall(way, 0);
    }
    bool is_kept = code_of(wait_for((pid_t)pid)) == 0 && *word == pid;
    munmap(word, 4096);
    return is_kept;
}

int main(int argc, char **argv) {
    if (argc == 2)
        return 0;
    int parent = -1, child = -1;
    long pid = raw(CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD, NULL, &parent, &child);
    if (pid == 0)
        _exit(child == getpid() && parent == -1 ? 60 : 61);
    CHECK_EQ(parent, pid);
    CHECK_EQ(child, -1);
    CHECK_EQ(code_of(wait_for((pid_t)pid)), 60);

    CHECK(is_kept(argv[0], SYS_exit));
    CHECK(is_kept(argv[0], SYS_exit_group));
    CHECK(is_kept(argv[0], SYS_execve));

    int pidfd = -1;
    pid = raw(CLONE_PIDFD | SIGCHLD, NULL, &pidfd, NULL);
    if (pid == 0)
        _exit(62);
    CHECK(pidfd >= 0 && pidfd < 100);
    CHECK_EQ(fcntl(pidfd, F_GETFD), FD_CLOEXEC);
    struct pollfd ready = {.fd = pidfd, .events = POLLIN};
    CHECK_EQ(poll(&ready, 1, 10000), 1);
    CHECK_EQ(code_of(wait_for((pid_t)pid)), 62);
    close(pidfd);

    // Without SIGCHLD only __WALL or __WCLONE waits for it.
    pid = raw(0, NULL, NULL, NULL);
    if (pid == 0)
        _exit(63);
    int status;
    CHECK_ERR(waitpid((pid_t)pid, &status, 0), ECHILD);
    CHECK_EQ(waitpid((pid_t)pid, &status, __WCLONE), pid);
    CHECK_EQ(code_of(status), 63);

    static char stack[1 << 16] __attribute__((aligned(16)));
    int argument = 70;
    pid = CHECK_OK(clone(on_stack, stack + sizeof stack, SIGCHLD, &argument));
    CHECK_EQ(code_of(wait_for((pid_t)pid)), 71);

    struct clone_args args = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID, .pidfd = (uintptr_t)&pidfd,
                              .parent_tid = (uintptr_t)&parent, .exit_signal = SIGCHLD};
    pid = raw3(&args);
    if (pid == 0)
        _exit(64);
    CHECK_EQ(parent, pid);
    siginfo_t info;
    CHECK_OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
    CHECK_EQ(info.si_status, 64);

    // A brother, not a child.
    pid_t middle = CHECKED_FORK();
    if (middle == 0) {
        pid = raw(CLONE_PARENT | SIGCHLD, NULL, NULL, NULL);
        if (pid == 0)
            _exit(66);
        _exit(wait(NULL) == -1 && errno == ECHILD ? 65 : 1);
    }
    CHECK_EQ(code_of(wait_for(middle)), 65);
    CHECK_EQ(wait(&status) > 0 ? code_of(status) : -1, 66);

    CHECK_ERR(raw(CLONE_SIGHAND | SIGCHLD, NULL, NULL, NULL), EINVAL);
    CHECK_ERR(raw(CLONE_THREAD | SIGCHLD, NULL, NULL, NULL), EINVAL);
    CHECK_ERR(raw(CLONE_NEWNS | CLONE_FS | SIGCHLD, NULL, NULL, NULL), EINVAL);
    CHECK_ERR(raw(CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, NULL, &parent, NULL), EINVAL);
    CHECK_ERR(syscall(SYS_clone3, &args, 8), EINVAL);
    CHECK_ERR(syscall(SYS_clone3, &args, 100000), E2BIG);
    CHECK_ERR(syscall(SYS_clone3, NULL, sizeof args), EFAULT);
    args.exit_signal = 300;
    CHECK_ERR(raw3(&args), EINVAL);
    args.exit_signal = SIGCHLD, args.stack = (uintptr_t)stack;
    CHECK_ERR(raw3(&args), EINVAL);
    CHECK_ERR(wait(NULL), ECHILD);
    return CHECK_DONE();
}
