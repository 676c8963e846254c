// cflags: -mavx2
// fork(2): general registers, SSE and AVX registers, rounding modes, FS and GS bases are the child's, too.
#include "check.h"
#include "process/process.h"
#include <asm/prctl.h>
#include <immintrin.h>
#include <sys/syscall.h>

static __thread int thread_local_word = 77;

// Forks with known values in as many registers as possible. Returns 0 if all are there afterwards.
static long fork_and_compare(long *pid) {
    __m256i pattern = _mm256_set_epi64x(4, 3, 2, 1), upper = _mm256_set1_epi8(0x5a), got_pattern, got_upper;
    long rbx, r12, r13, r14, r15, rax;
    asm volatile("vmovdqu %[pattern], %%ymm0\n\tvmovdqu %[upper], %%ymm15\n\t"
                 "mov $0x1111, %%rbx\n\tmov $0x2222, %%r12\n\tmov $0x3333, %%r13\n\t"
                 "mov $0x4444, %%r14\n\tmov $0x5555, %%r15\n\tmov %[nr], %%eax\n\tsyscall\n\t"
                 "vmovdqu %%ymm0, %[got_pattern]\n\tvmovdqu %%ymm15, %[got_upper]\n\t"
                 "mov %%rbx, %[rbx]\n\tmov %%r12, %[r12]\n\tmov %%r13, %[r13]\n\tmov %%r14, %[r14]\n\tmov %%r15, %[r15]"
                 : [got_pattern] "=m"(got_pattern), [got_upper] "=m"(got_upper), [rbx] "=m"(rbx), [r12] "=m"(r12),
                   [r13] "=m"(r13), [r14] "=m"(r14), [r15] "=m"(r15), "=&a"(rax)
                 : [pattern] "m"(pattern), [upper] "m"(upper), [nr] "i"(SYS_fork)
                 : "rbx", "rcx", "r11", "r12", "r13", "r14", "r15", "ymm0", "ymm15", "memory");
    *pid = rax;
    return memcmp(&pattern, &got_pattern, 32) != 0 || memcmp(&upper, &got_upper, 32) != 0 || rbx != 0x1111 ||
           r12 != 0x2222 || r13 != 0x3333 || r14 != 0x4444 || r15 != 0x5555;
}

int main(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2"))
        SKIP("no AVX2");
    long pid;
    for (int round = 0; round < 3; round++) {
        long wrong = fork_and_compare(&pid);
        if (pid == 0)
            _exit(wrong ? 1 : 40);
        CHECK_EQ(wrong, 0);
        CHECK_EQ(code_of(wait_for((pid_t)pid)), 40);
    }

    unsigned before = _mm_getcsr();
    _mm_setcsr((before & ~0x6000u) | 0x4000); // round up
    short control = 0x0f7f;                   // x87: towards zero
    asm volatile("fldcw %0" : : "m"(control));
    pid = fork();
    if (pid == 0) {
        short found;
        asm volatile("fnstcw %0" : "=m"(found));
        _exit((_mm_getcsr() & 0x6000) == 0x4000 && found == 0x0f7f ? 41 : 2);
    }
    CHECK_EQ(code_of(wait_for((pid_t)pid)), 41);
    _mm_setcsr(before);

    thread_local_word = 78;
    CHECK_EQ(code_of(IN_CHILD(thread_local_word++)), 78);
    CHECK_EQ(thread_local_word, 78);

    static char block[64] = "through gs";
    CHECK_OK(syscall(SYS_arch_prctl, ARCH_SET_GS, block));
    pid = fork();
    if (pid == 0) {
        char letter;
        asm volatile("movb %%gs:8, %0" : "=r"(letter));
        _exit(letter);
    }
    CHECK_EQ(code_of(wait_for((pid_t)pid)), 'g');

    // rcx and r11 hold what `syscall` left, in both.
    long rcx;
    asm volatile("lea 1f(%%rip), %%rbx\n\tmov %2, %%eax\n\tsyscall\n1:\tsub %%rbx, %%rcx"
                 : "=&a"(pid), "=&c"(rcx) : "i"(SYS_fork) : "rbx", "r11", "memory");
    if (pid == 0)
        _exit(rcx == 0 ? 43 : 3);
    CHECK_EQ(rcx, 0);
    CHECK_EQ(code_of(wait_for((pid_t)pid)), 43);
    return CHECK_DONE();
}
