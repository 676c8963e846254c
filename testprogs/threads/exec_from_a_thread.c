// cflags: -pthread
// execve(2) in a thread ends all others, and the new program has the process's id.
#include "check.h"
#include <pthread.h>
#include <sys/syscall.h>

static pid_t before;
static char *program;

static void *spin(void *arg) {
    for (;;) __asm__ volatile("pause");
    return arg;
}

static void *execute(void *arg) {
    char number[16];
    snprintf(number, sizeof number, "%d", before);
    char *args[] = {program, number, 0}, *env[] = {0};
    usleep(10000);
    execve(program, args, env);
    REQUIRE(!"executed");
    return arg;
}

int main(int argc, char **argv) {
    if (argc == 2) {
        printf("same process: %d, first thread: %d\n", atoi(argv[1]) == getpid(), syscall(SYS_gettid) == getpid());
        return 9;
    }
    before = getpid();
    program = argv[0];
    pthread_t thread;
    for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&thread, 0, spin, 0) == 0);
    REQUIRE(pthread_create(&thread, 0, execute, 0) == 0);
    for (;;) pause();
}
