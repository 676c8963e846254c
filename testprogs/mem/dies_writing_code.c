// The program's own code is read-only: SIGSEGV. elf(5).
#include "mem/mem.h"

static int seven(void) { return 7; }

int main(void) {
    int (*volatile function)(void) = seven;
    char *code = (char *)(uintptr_t)function;
    CHECK_EQ(function(), 7);
    CHECK(readable(code));
    CHECK(!writable(code));
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), code, 1), EFAULT);
    CHECK_EQ(function(), 7);
    CHECK_DEATH(SIGSEGV, *(volatile char *)code = 0);
}
