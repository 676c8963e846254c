// m5ops, by the instruction: 0f 04 and the number of the op.
#pragma once
#include <stdint.h>

#define M5(NAME, NUMBER)                                                                                               \
    __attribute__((noinline, naked, unused)) static uint64_t m5_##NAME(uint64_t a, uint64_t b, uint64_t c, uint64_t d, \
                                                                       uint64_t e, uint64_t f)                         \
    {                                                                                                                  \
        asm volatile(".byte 0x0f, 0x04\n.word " #NUMBER "\nret");                                                      \
    }

#pragma GCC diagnostic ignored "-Wunused-parameter"
M5(arm, 0x00)
M5(quiesce_ns, 0x02)
M5(quiesce_time, 0x04)
M5(rpns, 0x07)
M5(exit, 0x21)
M5(fail, 0x22)
M5(sum, 0x23)
M5(init_param, 0x30)
M5(reset_stats, 0x40)
M5(dump_stats, 0x41)
M5(checkpoint, 0x43)
M5(write_file, 0x4f)
M5(read_file, 0x50)
M5(panic, 0x54)
M5(work_begin, 0x5a)
M5(work_end, 0x5b)
