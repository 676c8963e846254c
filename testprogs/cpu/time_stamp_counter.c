// rdtsc and rdtscp run in user mode and never go back, over system calls and page faults too.
#include "cpu/cpu.h"

#include <x86intrin.h>

int main(void) {
    char *fresh = map_pages(64, PROT_READ | PROT_WRITE);
    uint64_t last = __rdtsc();
    CHECK(last > 0);
    int backwards = 0;
    for (int i = 0; i < 20000; i++) {
        uint64_t now = __rdtsc();
        backwards += now < last;
        last = now;
    }
    CHECK_EQ(backwards, 0);
    for (int i = 0; i < 64; i++) {
        fresh[i * PAGE] = 1;
        getppid();
        uint64_t now = __rdtsc();
        backwards += now <= last;
        last = now;
    }
    CHECK_EQ(backwards, 0);

    unsigned cpu;
    for (int i = 0; i < 1000; i++) {
        uint64_t now = __rdtscp(&cpu);
        backwards += now < last;
        last = now;
    }
    CHECK_EQ(backwards, 0);
    CHECK(__rdtsc() >= last);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
