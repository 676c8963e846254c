// Signals that end a program, of its own and of a child's.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void wait_for_end(void) {
    pid_t parent = getpid();
    if (fork() == 0) {
        usleep(500000);
        kill(parent, SIGTERM);
        _exit(0);
    }
    wait(NULL);
    for (;;)
        pause();
}

int main(int argc, char **argv) {
    (void)argv;
    raise(SIGUSR1);
    puts("goes on");
    fflush(stdout);
    signal(SIGTERM, SIG_IGN);
    signal(SIGTERM, SIG_DFL);
    if (argc > 1)
        wait_for_end();
    abort();
}
