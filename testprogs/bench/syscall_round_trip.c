// getppid(2): the cheapest system call that always reaches the kernel.
#include "bench/bench.h"

#include <sys/syscall.h>
#include <unistd.h>

int main(void) {
    const long rounds = 20000;
    double start = now_ns();
    for (long i = 0; i < rounds; i++)
        syscall(SYS_getppid);
    return report(start, rounds);
}
