// The state in which a handler starts: aligned stack, direction flag clear, x87 and SSE as in a new program, the red zone of
// the interrupted code untouched, rax 0, and the third argument also for handlers without SA_SIGINFO.
#include "check.h"
#include "signals.h"

#include <immintrin.h>

unsigned long entry_rsp, entry_rax, entry_rsi, entry_rdx, entry_rdi, entry_flags, entry_vector[2];
unsigned entry_mxcsr;
unsigned short entry_control, entry_status;
void entry(int);

__asm__(".globl entry\n"
        "entry: mov %rsp, entry_rsp(%rip)\n"
        "mov %rax, entry_rax(%rip)\n"
        "mov %rdi, entry_rdi(%rip)\n"
        "mov %rsi, entry_rsi(%rip)\n"
        "mov %rdx, entry_rdx(%rip)\n"
        "movups %xmm9, entry_vector(%rip)\n"
        "stmxcsr entry_mxcsr(%rip)\n"
        "fnstcw entry_control(%rip)\n"
        "fnstsw entry_status(%rip)\n"
        "pushf\n"
        "pop entry_flags(%rip)\n"
        "ret\n");

int main(void) {
    CHECK_EQ(signal(SIGUSR1, entry), SIG_DFL);
    _mm_setcsr(0x7f80);
    unsigned short word = 0x77f;
    long pid = getpid(), zone = 0;
    __asm__ volatile("fldcw %0; fld1" ::"m"(word));
    __asm__ volatile("movq $0x1234567, -8(%%rsp); movq $0x7654321, -128(%%rsp)\n"
                     "pcmpeqd %%xmm9, %%xmm9\n"
                     "mov %1, %%rdi; mov %2, %%esi; mov %3, %%eax; std; syscall; cld\n"
                     "mov -8(%%rsp), %0; sub $0x1234567, %0; add -128(%%rsp), %0; sub $0x7654321, %0"
                     : "=&r"(zone)
                     : "r"(pid), "i"(SIGUSR1), "i"(SYS_kill)
                     : "rax", "rcx", "r11", "rdi", "rsi", "xmm9", "memory", "cc");
    __asm__ volatile("fstp %%st(0); fninit" ::: "memory");
    _mm_setcsr(0x1f80);
    CHECK_EQ(zone, 0);
    CHECK_EQ(entry_rsp % 16, 8);
    CHECK_EQ(entry_rax, 0);
    CHECK_EQ(entry_rdi, SIGUSR1);
    CHECK(entry_rdx == entry_rsp + 8 && entry_rsi == entry_rsp + 312);
    CHECK_EQ(entry_flags & 0x400, 0);
    CHECK_EQ(entry_mxcsr, 0x1f80);
    CHECK_EQ(entry_control, 0x37f);
    CHECK_EQ(entry_status, 0);
    CHECK(entry_vector[0] == 0 && entry_vector[1] == 0);
    return CHECK_DONE();
}
