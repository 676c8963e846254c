// cflags: -nostdlib -nostartfiles -static -fno-stack-protector -fno-builtin
// Threads without any library: clone3 with every address set, a futex for the end, exit of one alone,
// and the errors of clone and clone3. Prints by write(2) alone.
#include <linux/futex.h>
#include <linux/sched.h>
#include <stdint.h>
#include <sys/syscall.h>

struct args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

#define THREAD (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM)
#define TIDS (CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)
#define THREADS 4

static long call(long number, long a, long b, long c, long d, long e, long f) {
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static void print(const char *text) {
    long length = 0;
    while (text[length])
        length++;
    call(SYS_write, 1, (long)text, length, 0, 0, 0);
}

static void check(int holds, const char *what) {
    print(holds ? "ok " : "FAIL ");
    print(what);
    print("\n");
}

static char stacks[THREADS][16384] __attribute__((aligned(16)));
static long blocks[THREADS][8];
static volatile int parent_tids[THREADS], child_tids[THREADS], seen_tids[THREADS];
static volatile long sums[THREADS];

// Runs in the new thread, whose FS is its block.
__attribute__((used)) static void run(void) {
    long number;
    __asm__ volatile("mov %%fs:8, %0" : "=r"(number));
    seen_tids[number] = (int)call(SYS_gettid, 0, 0, 0, 0, 0, 0);
    // CLONE_CHILD_SETTID is done before the thread runs.
    sums[number] = child_tids[number] == seen_tids[number] ? 1 : -1000000;
    for (int i = 0; i < 1000; i++) {
        sums[number] += i;
        if (i % 100 == 0)
            call(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
    }
    call(SYS_exit, (int)number, 0, 0, 0, 0, 0);
}

// clone3, whose child goes on in `run` on its own stack. All other registers stay as they were.
static long start(struct args *args) {
    long result;
    register long witness __asm__("r12") = 0x1234567;
    __asm__ volatile("syscall\n"
                     "test %%rax, %%rax\n"
                     "jnz 1f\n"
                     "cmp $0x1234567, %%r12\n"
                     "jne 2f\n"
                     "xor %%ebp, %%ebp\n"
                     "call run\n"
                     "2: ud2\n"
                     "1:"
                     : "=a"(result), "+r"(witness)
                     : "a"(SYS_clone3), "D"(args), "S"(sizeof *args)
                     : "rcx", "r11", "memory");
    return result;
}

static long refused(uint64_t flags, uint64_t signal, uint64_t stack, uint64_t size, long length) {
    struct args args = {.flags = flags, .exit_signal = signal, .stack = stack, .stack_size = size};
    return call(SYS_clone3, (long)&args, length, 0, 0, 0, 0);
}

static void errors(void) {
    struct { struct args args; long more; } longer = {.more = 1};
    uint64_t stack = (uint64_t)stacks[0];
    long length = sizeof(struct args);
    check(refused(THREAD & ~CLONE_SIGHAND, 0, stack, 16384, length) == -22, "a thread shares handlers");
    check(refused(CLONE_SIGHAND, 17, 0, 0, length) == -22, "who shares handlers shares memory");
    check(refused(THREAD, 17, stack, 16384, length) == -22, "a thread has no exit signal");
    check(refused(THREAD, 0, stack, 0, length) == -22, "a stack has a size");
    check(refused(THREAD, 0, 0, 16384, length) == -22, "a size has a stack");
    check(refused(17, 0, 0, 0, length) == -22, "the signal is not in the flags");
    check(refused(1ull << 40, 0, 0, 0, length) == -22, "no such flag");
    check(refused(0, 65, 0, 0, length) == -22, "no such signal");
    check(refused(CLONE_FS | CLONE_NEWNS, 17, 0, 0, length) == -22, "a namespace of mounts of its own");
    check(refused(CLONE_SIGHAND | CLONE_VM | CLONE_CLEAR_SIGHAND, 17, 0, 0, length) == -22, "share or clear");
    check(refused(0, 17, 0, 0, 63) == -22, "too short");
    check(refused(0, 17, 0, 0, 4097) == -7, "too long");
    check(call(SYS_clone3, (long)&longer, sizeof longer, 0, 0, 0, 0) == -7, "more than is known");
    check(call(SYS_clone3, 8, length, 0, 0, 0, 0) == -14, "no such address");
    check(call(SYS_clone, CLONE_THREAD, 0, 0, 0, 0, 0) == -22, "clone: a thread shares handlers");
    check(call(SYS_clone, CLONE_PIDFD | CLONE_PARENT_SETTID, 0, 0, 0, 0, 0) == -22, "clone: one place for two");
    check(call(SYS_clone, CLONE_SETTLS | 17, 0, 0, 0, -4096, 0) == -1, "clone: TLS of the kernel");
}

__attribute__((used)) static void begin(void) {
    long own = call(SYS_gettid, 0, 0, 0, 0, 0, 0), results[THREADS];
    check(own == call(SYS_getpid, 0, 0, 0, 0, 0, 0), "the first thread has the process's number");
    for (long i = 0; i < THREADS; i++) {
        blocks[i][0] = (long)blocks[i];
        blocks[i][1] = i;
        child_tids[i] = -1;
        struct args args = {.flags = THREAD | TIDS | CLONE_SETTLS,
                            .child_tid = (uint64_t)&child_tids[i],
                            .parent_tid = (uint64_t)&parent_tids[i],
                            .stack = (uint64_t)stacks[i],
                            .stack_size = sizeof stacks[i],
                            .tls = (uint64_t)blocks[i]};
        results[i] = start(&args);
    }
    int all = 1;
    for (int i = 0; i < THREADS; i++) {
        int tid;
        while ((tid = child_tids[i]) != 0)
            call(SYS_futex, (long)&child_tids[i], FUTEX_WAIT, tid, 0, 0, 0);
        all &= results[i] > 0 && results[i] == parent_tids[i] && seen_tids[i] == parent_tids[i];
        all &= sums[i] == 1 + 499500 && seen_tids[i] != own;
    }
    check(all, "four threads did their work");
    errors();
    call(SYS_exit_group, 5, 0, 0, 0, 0, 0);
}

__asm__(".globl _start\n"
        "_start: xor %ebp, %ebp\n"
        "and $-16, %rsp\n"
        "call begin\n");
