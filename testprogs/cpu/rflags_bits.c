// popf changes the bits that belong to the program and silently not the others: IOPL and IF stay.
// Intel SDM volume 1, 3.4.3.
#include "cpu/cpu.h"

int main(void) {
    uint64_t initial = read_flags();
    CHECK_EQ(initial & (INTERRUPTS | IOPL), INTERRUPTS);
    CHECK_EQ(initial & (DIRECTION | ALIGNMENT_CHECK | IDENTIFICATION), 0);

    write_flags(initial ^ IDENTIFICATION);
    CHECK_EQ((read_flags() ^ initial) & IDENTIFICATION, IDENTIFICATION);
    getppid();
    CHECK_EQ((read_flags() ^ initial) & IDENTIFICATION, IDENTIFICATION);
    write_flags(initial);

    write_flags(initial | IOPL);
    CHECK_EQ(read_flags() & IOPL, 0);
    write_flags(initial & ~INTERRUPTS);
    CHECK_EQ(read_flags() & INTERRUPTS, INTERRUPTS);
    write_flags(initial & ~2ul);
    CHECK_EQ(read_flags() & 2, 2);
    write_flags(initial | 1ul << 3 | 1ul << 5 | 1ul << 15 | 1ul << 22);
    CHECK_EQ(read_flags() & (1ul << 3 | 1ul << 5 | 1ul << 15 | 1ul << 22), 0);
    write_flags(initial | 1ul << 17 | 1ul << 19 | 1ul << 20); // VM, VIF, VIP
    CHECK_EQ(read_flags() & (1ul << 17 | 1ul << 19 | 1ul << 20), 0);

    // The arithmetic flags, one by one, over a system call and a page fault.
    static const uint64_t bits[] = {CARRY, PARITY, 0x10, ZERO, SIGN, OVERFLOW, DIRECTION};
    char *fresh = map_pages(8, PROT_READ | PROT_WRITE);
    int lost = 0;
    for (int i = 0; i < 7; i++) {
        uint64_t flags = 0x202 | bits[i], seen;
        long result = SYS_getppid;
        __asm__ volatile("lea -128(%%rsp), %%rsp\n"
                         "push %[flags]\n"
                         "popfq\n"
                         "syscall\n"
                         "movb $1, (%[fresh])\n"
                         "pushfq\n"
                         "pop %[seen]\n"
                         "cld\n"
                         "lea 128(%%rsp), %%rsp\n"
                         : [seen] "=&r"(seen), "+a"(result)
                         : [flags] "r"(flags), [fresh] "r"(fresh + i * PAGE)
                         : "rcx", "r11", "memory", "cc");
        lost += seen != flags;
    }
    CHECK_EQ(lost, 0);

    uint16_t low;
    __asm__("stc; lahf" : "=a"(low) : : "cc");
    CHECK_EQ(low >> 8 & 3, 3);
    CHECK_ERR(syscall(SYS_uname, 8), EFAULT);
    return CHECK_DONE();
}
