// A system call changes rax, rcx and r11 only: rcx is the return address, r11 the flags. All other
// registers and all flags, the direction flag too, are as before. syscall(2), System V ABI A.2.1.
#include "cpu/cpu.h"

enum { RAX, RBX, RCX, RDX, RSI, RDI, RBP, RSP, R8, R9, R10, R11, R12, R13, R14, R15, FLAGS, COUNT };

// Loads all registers from `before`, executes syscall, stores all registers to `after`.
void syscall_with_registers(void);
uint64_t before[COUNT], after[COUNT], own_stack;
extern char after_syscall[];

#define LOAD(name, index) "mov before+" #index "*8(%rip), %" #name "\n"
#define STORE(name, index) "mov %" #name ", after+" #index "*8(%rip)\n"

__asm__(".text\n"
        "syscall_with_registers:\n"
        "push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
        "mov %rsp, own_stack(%rip)\n"
        "pushq before+16*8(%rip)\n"
        "popfq\n"
        LOAD(rax, 0) LOAD(rbx, 1) LOAD(rcx, 2) LOAD(rdx, 3) LOAD(rsi, 4) LOAD(rdi, 5)
        LOAD(rbp, 6) LOAD(rsp, 7) LOAD(r8, 8) LOAD(r9, 9) LOAD(r10, 10) LOAD(r11, 11)
        LOAD(r12, 12) LOAD(r13, 13) LOAD(r14, 14) LOAD(r15, 15)
        "syscall\n"
        "after_syscall:\n"
        STORE(rax, 0) STORE(rbx, 1) STORE(rcx, 2) STORE(rdx, 3) STORE(rsi, 4) STORE(rdi, 5)
        STORE(rbp, 6) STORE(rsp, 7) STORE(r8, 8) STORE(r9, 9) STORE(r10, 10) STORE(r11, 11)
        STORE(r12, 12) STORE(r13, 13) STORE(r14, 14) STORE(r15, 15)
        "mov own_stack(%rip), %rsp\n"
        "pushfq\n"
        "popq after+16*8(%rip)\n"
        "push $0x202\n"
        "popfq\n"
        "pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
        "ret\n");

// Whether everything that must survive did.
static bool kept(void) {
    for (int i = 0; i < COUNT; i++)
        if (i != RAX && i != RCX && i != R11 && after[i] != before[i])
            return false;
    return after[RCX] == (uintptr_t)after_syscall && after[R11] == before[FLAGS];
}

static bool call_keeps(long number, uint64_t flags) {
    for (int i = 0; i < COUNT; i++)
        before[i] = 0x0101010101010101 * (uint64_t)(i + 0x81);
    before[RAX] = (uint64_t)number;
    before[FLAGS] = flags;
    syscall_with_registers();
    return kept();
}

int main(void) {
    uint64_t plain = 0x202;
    CHECK(call_keeps(SYS_getpid, plain));
    CHECK_EQ(after[RAX], getpid());
    CHECK(call_keeps(SYS_getpid, plain | CARRY | PARITY | ZERO | SIGN | OVERFLOW | 0x10));
    CHECK(call_keeps(SYS_getpid, plain | DIRECTION));
    CHECK(call_keeps(SYS_getpid, plain | ALIGNMENT_CHECK));
    CHECK(call_keeps(SYS_getpid, plain | IDENTIFICATION));

    // Errors, a number that there is not, and arguments that are bad addresses.
    CHECK(call_keeps(SYS_close, plain));
    CHECK_EQ(after[RAX], -EBADF);
    CHECK(call_keeps(1000, plain | CARRY));
    CHECK_EQ(after[RAX], -ENOSYS);
    CHECK(call_keeps(-1, plain | DIRECTION | CARRY));
    CHECK_EQ(after[RAX], -ENOSYS);
    CHECK(call_keeps(SYS_uname, plain));
    CHECK_EQ(after[RAX], -EFAULT);

    // The upper half of rax does not count; that of rdi, a descriptor, does not either.
    CHECK(call_keeps(SYS_getpid | 0x5500000000, plain));
    CHECK_EQ(after[RAX], getpid());

    int lost = 0;
    for (uint64_t i = 0; i < 2000; i++)
        lost += !call_keeps(i % 2 ? SYS_getuid : SYS_getppid, plain | (i % 3 ? DIRECTION : CARRY));
    CHECK_EQ(lost, 0);
    return CHECK_DONE();
}
