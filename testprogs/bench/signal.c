// A signal to oneself, its handler, and back.
#define _GNU_SOURCE
#include "bench/bench.h"

#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t handled;

static void count(int signal) {
    (void)signal;
    handled++;
}

int main(int argc, char **argv) {
    const long rounds = rounds_of(argc, argv);
    const struct sigaction action = {.sa_handler = count};
    const pid_t self = getpid();
    require(sigaction(SIGUSR1, &action, NULL) == 0);
    struct moment start = now();
    for (long i = 0; i < rounds; i++)
        require(kill(self, SIGUSR1) == 0);
    require(handled == rounds);
    return report(start, rounds);
}
