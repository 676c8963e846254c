// One system call with chosen flags, and whether it leaves what it should. Include it after check.h.
#ifndef CLEAN_CALL_H
#define CLEAN_CALL_H

enum { CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, DF = 0x400, OF = 0x800, ALWAYS = 0x202 };

static const unsigned long chosen_flags[] = {
    CF | ZF | ALWAYS, PF | SF | DF | ALWAYS, AF | OF | ALWAYS, ALWAYS, CF | PF | AF | ZF | SF | DF | OF | ALWAYS};

// What there is after a call with the flags that came in turn.
struct after_call {
    long result;
    // Everything but rax, rcx and r11 is as before, flags included.
    bool keeps_all;
    unsigned long flags, rcx, r11, behind;
};

// Makes one by `instruction`.
#define CALL_BY(instruction, turn, number, first, second, third)                                                       \
    ({                                                                                                                 \
        unsigned long flags = chosen_flags[(turn) % 5];                                                                \
        struct after_call after = {.result = (number)};                                                                \
        long rdi = (first), rsi = (second), rdx = (third);                                                             \
        register long r10 __asm__("r10") = 8;                                                                          \
        register long r8 __asm__("r8") = 0x1234567890;                                                                 \
        register long r9 __asm__("r9") = -9;                                                                           \
        __asm__ volatile("sub $256, %%rsp\n"                                                                           \
                         "push %[flags]\n"                                                                             \
                         "popf\n" instruction "\n"                                                                     \
                         "1: pushf\n"                                                                                  \
                         "pop %[after]\n"                                                                              \
                         "cld\n"                                                                                       \
                         "mov %%rcx, %[rcx]\n"                                                                         \
                         "mov %%r11, %[r11]\n"                                                                         \
                         "lea 1b(%%rip), %[behind]\n"                                                                  \
                         "add $256, %%rsp\n"                                                                           \
                         : [after] "=&r"(after.flags), [rcx] "=&r"(after.rcx), [r11] "=&r"(after.r11),                 \
                           [behind] "=&r"(after.behind), "+a"(after.result), "+D"(rdi), "+S"(rsi), "+d"(rdx),          \
                           "+r"(r10), "+r"(r8), "+r"(r9)                                                               \
                         : [flags] "b"(flags)                                                                          \
                         : "rcx", "r11", "cc", "memory");                                                              \
        after.keeps_all = (after.flags & 0xcd5) == (flags & 0xcd5) && rdi == (first) && rsi == (second) &&             \
                          rdx == (third) && r10 == 8 && r8 == 0x1234567890 && r9 == -9;                                \
        after;                                                                                                         \
    })

// A system call returns `expected`, keeps everything else, and leaves in rcx and r11 what the processor does.
static inline bool calls_cleanly(unsigned turn, long expected, long number, long first, long second, long third) {
    struct after_call after = CALL_BY("syscall", turn, number, first, second, third);
    return after.result == expected && after.keeps_all && after.rcx == after.behind && after.r11 == after.flags;
}

#endif
