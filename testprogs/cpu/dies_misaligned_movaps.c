// An aligned SSE move from an address that is no multiple of 16 is a general protection fault:
// SIGSEGV. Intel SDM volume 2, MOVAPS.
#include "cpu/cpu.h"

static void move_aligned(char *to) {
    __asm__ volatile("movaps %%xmm0, (%0)" : : "r"(to) : "memory");
}

static void move_unaligned(char *to) {
    __asm__ volatile("movups %%xmm0, (%0)" : : "r"(to) : "memory");
}

int main(void) {
    char *p = map_pages(2, PROT_READ | PROT_WRITE);
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0" : : : "xmm0");
    move_aligned(p);
    CHECK(filled(p, 16, -1));
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0" : : : "xmm0");
    move_unaligned(p + 33);
    CHECK(filled(p + 33, 16, -1));
    CHECK_EQ(p[32], 0);
    __asm__ volatile("pcmpeqd %%xmm0, %%xmm0" : : : "xmm0");
    move_unaligned(p + PAGE - 8);
    CHECK(filled(p + PAGE - 8, 16, -1));
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    CHECK_DEATH(SIGSEGV, move_aligned(p + 8));
}
