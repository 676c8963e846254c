// Constants of the program are read-only: SIGSEGV. elf(5).
#include "mem/mem.h"

static const char constant[] = "constant";
static char variable[] = "variable";

int main(void) {
    volatile char *target = (volatile char *)(uintptr_t)constant;
    CHECK(readable(constant));
    CHECK(!writable((char *)(uintptr_t)constant));
    CHECK(writable(variable));
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), (char *)(uintptr_t)constant, 1), EFAULT);
    CHECK_STR(constant, "constant");
    CHECK_DEATH(SIGSEGV, *target = 'C');
}
