// cflags: -pthread
// Does things that kvm-se stat counts, each a known number of times. First argument: what.
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

static void repeat_getppid(int times)
{
    for (int i = 0; i < times; i++)
        REQUIRE(syscall(SYS_getppid) >= 0);
}

// 1000 calls that succeed, 37 that fail.
static void calls(void)
{
    repeat_getppid(1000);
    for (int i = 0; i < 37; i++)
        REQUIRE(syscall(SYS_ioctl, -1, 0, 0) == -1 && errno == EBADF);
}

// The first access to each of so many blocks of 2 MiB.
static void faults(int blocks)
{
    const size_t block = 2 << 20, all = (size_t)128 * block;
    char *memory = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    REQUIRE(memory != MAP_FAILED && madvise(memory, all, MADV_NOHUGEPAGE) == 0);
    for (int i = 0; i < blocks; i++)
        memory[i * block + block / 2] = 1;
}

static void *thread(void *number)
{
    char name[16];
    snprintf(name, sizeof name, "worker-%ld", (long)number);
    REQUIRE(prctl(PR_SET_NAME, name) == 0);
    for (int i = 0; i < 100 * (long)number; i++)
        REQUIRE(syscall(SYS_getpriority, PRIO_PROCESS, 0) > 0);
    return NULL;
}

static void threads(void)
{
    pthread_t ids[3];
    for (long i = 0; i < 3; i++)
        REQUIRE(pthread_create(&ids[i], NULL, thread, (void *)(i + 1)) == 0);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_join(ids[i], NULL) == 0);
}

// Four children with ten calls each; one that is killed while it waits; one that executes this program.
static void processes(char *self)
{
    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();
        REQUIRE(pid >= 0);
        if (pid == 0) {
            repeat_getppid(10);
            _exit(0);
        }
        REQUIRE(waitpid(pid, NULL, 0) == pid);
    }
    int ready[2];
    REQUIRE(pipe(ready) == 0);
    pid_t pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        REQUIRE(prctl(PR_SET_NAME, "waiter") == 0 && write(ready[1], "", 1) == 1);
        syscall(SYS_pause);
        _exit(1);
    }
    char byte;
    REQUIRE(read(ready[0], &byte, 1) == 1);
    usleep(100000);
    int status;
    REQUIRE(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid && WTERMSIG(status) == SIGKILL);
    pid = vfork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        execl(self, "again", "five", NULL);
        _exit(1);
    }
    REQUIRE(waitpid(pid, &status, 0) == pid && status == 0);
}

static void wait_for(int milliseconds, int is_poll)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    REQUIRE(is_poll ? poll(NULL, 0, milliseconds) == 0 : pselect(0, NULL, NULL, NULL, &time, NULL) == 0);
}

// 985 quick calls and 15 slow ones of poll, 995 and 5 of pselect6.
static void two_kinds(void)
{
    for (int i = 0; i < 1000; i++) {
        wait_for(i % 66 == 0 && i < 15 * 66 ? 20 : 0, 1);
        wait_for(i % 200 == 0 ? 20 : 0, 0);
    }
}

// Calls that another thread may answer.
static void reads(void)
{
    int fd = open("/proc/self/exe", O_RDONLY);
    char byte;
    REQUIRE(fd >= 0);
    for (int i = 0; i < 20000; i++)
        REQUIRE(pread(fd, &byte, 1, i % 100) == 1);
}

static volatile sig_atomic_t caught;

static void on_signal(int signal)
{
    caught = signal;
}

static void signals(void)
{
    REQUIRE(signal(SIGUSR1, on_signal) != SIG_ERR);
    for (int i = 0; i < 3; i++)
        REQUIRE(raise(SIGUSR1) == 0);
    REQUIRE(caught == SIGUSR1);
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "calls") == 0)
        calls();
    else if (strcmp(what, "faults") == 0)
        faults(atoi(argv[2]));
    else if (strcmp(what, "threads") == 0)
        threads();
    else if (strcmp(what, "processes") == 0)
        processes(argv[0]);
    else if (strcmp(what, "five") == 0)
        repeat_getppid(5);
    else if (strcmp(what, "two_kinds") == 0)
        two_kinds();
    else if (strcmp(what, "reads") == 0)
        reads();
    else if (strcmp(what, "signals") == 0)
        signals();
    else if (strcmp(what, "many") == 0)
        repeat_getppid(20000);
    else if (strcmp(what, "forever") == 0)
        for (;;)
            repeat_getppid(100);
    else
        return 2;
    return 0;
}
