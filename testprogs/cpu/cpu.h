// Helpers of the processor programs.
#ifndef CPU_H
#define CPU_H

#include "mem/mem.h"

// Codes of arch_prctl(2).
enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS, ARCH_GET_FS, ARCH_GET_GS };

#define CARRY (1ul << 0)
#define PARITY (1ul << 2)
#define ZERO (1ul << 6)
#define SIGN (1ul << 7)
#define INTERRUPTS (1ul << 9)
#define DIRECTION (1ul << 10)
#define OVERFLOW (1ul << 11)
#define IOPL (3ul << 12)
#define ALIGNMENT_CHECK (1ul << 18)
#define IDENTIFICATION (1ul << 21)

// The compiler knows about the red zone, pushfq and popfq do not: step over it.
static inline uint64_t read_flags(void) {
    uint64_t flags;
    __asm__ volatile("lea -128(%%rsp), %%rsp; pushfq; pop %0; lea 128(%%rsp), %%rsp"
                     : "=r"(flags) : : "memory");
    return flags;
}

static inline void write_flags(uint64_t flags) {
    __asm__ volatile("lea -128(%%rsp), %%rsp; push %0; popfq; lea 128(%%rsp), %%rsp"
                     : : "r"(flags) : "memory", "cc");
}

static inline void random_bytes(void *start, size_t length, uint64_t *seed) {
    for (size_t i = 0; i < length; i++)
        ((uint8_t *)start)[i] = (uint8_t)(next_random(seed) >> 32);
}

// The state of a program without privilege, before an instruction that needs it.
static inline void check_no_privilege(void) {
    uint16_t code, stack;
    __asm__ volatile("mov %%cs, %0; mov %%ss, %1" : "=r"(code), "=r"(stack));
    CHECK_EQ(code, 0x33);
    CHECK_EQ(stack, 0x2b);
    CHECK(read_flags() & INTERRUPTS);
    CHECK_EQ(read_flags() & IOPL, 0);
    CHECK_ERR(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff800000000000), EPERM);
}

#endif
