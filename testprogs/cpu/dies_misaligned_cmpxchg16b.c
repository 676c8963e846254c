// cmpxchg16b at an address that is no multiple of 16 is a general protection fault: SIGSEGV. Intel
// SDM volume 2, CMPXCHG16B.
#include "cpu/cpu.h"

static bool exchange_zero_with_ones(char *place) {
    uint64_t low = 0, high = 0;
    uint8_t done;
    __asm__ volatile("lock cmpxchg16b (%[place])"
                     : "+a"(low), "+d"(high), "=@ccz"(done)
                     : "b"(-1l), "c"(-1l), [place] "r"(place)
                     : "memory");
    return done;
}

int main(void) {
    char *p = map_pages(1, PROT_READ | PROT_WRITE);
    CHECK(exchange_zero_with_ones(p));
    CHECK(filled(p, 16, -1));
    CHECK(!exchange_zero_with_ones(p));
    CHECK(exchange_zero_with_ones(p + 16));
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    CHECK_DEATH(SIGSEGV, exchange_zero_with_ones(p + 40));
}
