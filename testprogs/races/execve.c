// cflags: -pthread
// execve by one of many threads that begin, end, wait, compute, map and take signals: the program that
// follows has one thread, its number is the process's, and what it should keep it has.
#include "check.h"
#include "races/races.h"
#include <sys/stat.h>

static int ends[2];
static char self[4096];

static void *nothing(void *arg) { return arg; }

// Whether there is such a thread: while one executes a program, the kernel refuses new ones (`copy_fs`).
static bool try_start(pthread_t *thread, void *(*run)(void *), void *arg) {
    int error = pthread_create(thread, NULL, run, arg);
    REQUIRE(error == 0 || error == EAGAIN);
    return error == 0;
}

static void *begin_and_end(void *arg) {
    pthread_t thread;
    for (;;)
        if (try_start(&thread, nothing, arg))
            join(thread);
    return arg;
}

static void *wait_in_read(void *arg) {
    char byte;
    read(ends[0], &byte, 1);
    return arg;
}

static void *execute(void *arg) {
    char pid[16], fd[16];
    for (volatile long i = 0; i < (long)arg; i++)
        ;
    snprintf(pid, sizeof pid, "%d", getpid());
    snprintf(fd, sizeof fd, "%d", ends[1]);
    char *words[] = {"after", "--after", pid, fd, NULL}, *none[] = {NULL};
    execve(self, words, none);
    // Of two that try, one ends with the other's success.
    REQUIRE(false);
    return NULL;
}

// What the new program finds.
static int after(char **argv) {
    struct stat meta;
    int pid = atoi(argv[2]), fd = atoi(argv[3]);
    REQUIRE(getpid() == pid && gettid() == pid);
    REQUIRE(fstat(fd, &meta) == 0 && S_ISFIFO(meta.st_mode));
    struct sigaction action;
    REQUIRE(sigaction(SIGUSR1, NULL, &action) == 0 && action.sa_handler == SIG_DFL);
    sigset_t mask;
    REQUIRE(sigprocmask(SIG_BLOCK, NULL, &mask) == 0 && sigismember(&mask, SIGUSR2) && !sigismember(&mask, SIGTERM));
    REQUIRE(join(start(nothing, (void *)8)) == (void *)8);
    return 22;
}

static void be_child(int how, long delay) {
    struct sigaction action = {.sa_handler = ignore_signal, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    void *(*const others[])(void *) = {begin_and_end, wait_in_read, compute_forever, map_forever, wait_in_read};
    for (int i = 0; i < 5; i++)
        start(others[i], NULL);
    pthread_t thread;
    if (how > 0)
        start(execute, (void *)delay);
    if (how > 1)
        try_start(&thread, execute, (void *)delay);
    if (how == 0)
        execute((void *)delay);
    if (how == 3)
        pthread_exit(NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "--after") == 0)
        return after(argv);
    unsigned long long seed = 5;
    REQUIRE(readlink("/proc/self/exe", self, sizeof self - 1) > 0 && pipe(ends) == 0);
    while (next_round(argc, argv))
        for (int how = 0; how < 4; how++) {
            long delay = (long)random_below(&seed, 1000000);
            pid_t child = fork();
            REQUIRE(child >= 0);
            if (child == 0)
                be_child(how, delay);
            int status;
            REQUIRE(waitpid(child, &status, 0) == child);
            if (!WIFEXITED(status) || WEXITSTATUS(status) != 22)
                printf("FAIL way %d ended with %#x\n", how, status);
            REQUIRE(WIFEXITED(status) && WEXITSTATUS(status) == 22);
        }
    return races_done();
}
