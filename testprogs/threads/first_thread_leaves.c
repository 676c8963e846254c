// cflags: -pthread
// The first thread ends and others go on; the process ends with its code when the last one does.
#include "check.h"
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static void *work(void *arg) {
    usleep(30000);
    REQUIRE(syscall(SYS_gettid) != getpid());
    REQUIRE(kill(getpid(), 0) == 0);
    dprintf(1, "the others are done\n");
    syscall(SYS_exit, 5);
    return arg;
}

static void *stay(void *arg) {
    usleep(60000);
    dprintf(1, "the last is done\n");
    return arg;
}

int main(void) {
    pid_t child = fork();
    if (child == 0) {
        pthread_t thread;
        REQUIRE(pthread_create(&thread, 0, work, 0) == 0);
        syscall(SYS_exit, 42);
    }
    int status;
    REQUIRE(waitpid(child, &status, 0) == child);
    printf("exited %d with %d\n", WIFEXITED(status), WEXITSTATUS(status));
    fflush(stdout);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, 0, stay, 0) == 0);
    pthread_exit(0);
}
