// cflags: -pthread
// Calls that concern the process, made by threads while others wait: user ids by way of all threads,
// the working directory, posix_spawn, system, popen, vfork, waitpid for another thread's child.
#include "check.h"
#include "threads/threads.h"
#include <linux/membarrier.h>
#include <spawn.h>
#include <sys/fsuid.h>
#include <sys/resource.h>
#include <sys/stat.h>

extern char **environ;
static sem_t go, done;
static atomic_int child, idle_tid;

static void *identify(void *arg) {
    for (int i = 0; i < 20; i++) {
        REQUIRE(setuid(getuid()) == 0 && setgid(getgid()) == 0);
        REQUIRE(setresuid(-1, geteuid(), -1) == 0 && setresgid(getgid(), -1, -1) == 0);
        REQUIRE(setfsuid(geteuid()) == (int)geteuid());
    }
    return arg;
}

static void *start_programs(void *arg) {
    char text[64] = "";
    for (int i = 0; i < 3; i++) {
        REQUIRE(WEXITSTATUS(system("exit 7")) == 7);
        FILE *pipe = popen("echo from a child; exit 5", "r");
        REQUIRE(pipe != NULL && fgets(text, sizeof text, pipe) != NULL && strcmp(text, "from a child\n") == 0);
        REQUIRE(WEXITSTATUS(pclose(pipe)) == 5);
        pid_t pid;
        int status;
        char *words[] = {"sh", "-c", "exit 9", NULL};
        REQUIRE(posix_spawn(&pid, "/bin/sh", NULL, NULL, words, environ) == 0);
        REQUIRE(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 9);
        REQUIRE(posix_spawn(&pid, "/nonexistent", NULL, NULL, words, environ) == ENOENT);
        pid = vfork();
        if (pid == 0)
            _exit(11);
        REQUIRE(waitpid(pid, &status, 0) == pid && WEXITSTATUS(status) == 11);
    }
    return arg;
}

static void *wait_idly(void *arg) {
    idle_tid = gettid();
    sem_wait_for(&go);
    sem_post(&done);
    return arg;
}

static void *move_and_open(void *arg) {
    REQUIRE(mkdir("below", 0700) == 0 && chdir("below") == 0);
    umask(027);
    int fd = open("file", O_RDWR | O_CREAT, 0666);
    REQUIRE(fd >= 0);
    return arg ? arg : (void *)(long)fd;
}

static void *have_child(void *arg) {
    child = fork();
    if (child == 0)
        _exit(13);
    return arg;
}

int main(void) {
    REQUIRE(sem_init(&go, 0, 0) == 0 && sem_init(&done, 0, 0) == 0);
    pthread_t idle[3], threads[4];
    for (int i = 0; i < 3; i++)
        idle[i] = start(wait_idly, NULL);
    for (int i = 0; i < 4; i++)
        threads[i] = start(i % 2 ? identify : start_programs, NULL);
    for (int i = 0; i < 4; i++)
        join(threads[i]);

    // What one thread does to files is done for all.
    char where[4096];
    struct stat meta;
    long fd = (long)join(start(move_and_open, NULL));
    CHECK_STR(strrchr(getcwd(where, sizeof where), '/'), "/below");
    CHECK_OK(fstat((int)fd, &meta));
    CHECK_EQ(meta.st_mode & 0777, 0640);
    CHECK_EQ(umask(0), 027);

    // Its children are all threads' children.
    int status;
    join(start(have_child, NULL));
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(WEXITSTATUS(status), 13);

    // Limits are the process's, whichever thread is named.
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        struct rlimit own, named;
        REQUIRE(getrlimit(resource, &own) == 0 && prlimit(idle_tid, resource, NULL, &named) == 0);
        CHECK(own.rlim_cur == named.rlim_cur && own.rlim_max == named.rlim_max);
    }
    struct rlimit limit, low;
    CHECK_OK(getrlimit(RLIMIT_AS, &limit));
    low = (struct rlimit){1ul << 30, limit.rlim_max};
    CHECK_OK(prlimit(idle_tid, RLIMIT_AS, &low, NULL));
    CHECK_ERR(mmap(NULL, 1ul << 30, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK_OK(prlimit(idle_tid, RLIMIT_AS, &limit, &low));
    CHECK_EQ(low.rlim_cur, 1ul << 30);

    long commands = CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0));
    CHECK(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED);
    CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0), EPERM);
    // What it names, it does, once that is registered.
    for (int command = 1; command <= MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ; command <<= 1)
        REQUIRE(!(commands & command) || syscall(SYS_membarrier, command, 0, 0) == 0 || errno == EPERM);
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    CHECK_OK(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED_SYNC_CORE, 0, 0));
    CHECK_ERR(syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 5, 0), EINVAL);

    for (int i = 0; i < 3; i++)
        sem_post(&go);
    for (int i = 0; i < 3; i++)
        join(idle[i]);
    CHECK_EQ(sem_trywait(&done) + sem_trywait(&done) + sem_trywait(&done), 0);
    return CHECK_DONE();
}
