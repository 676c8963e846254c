// The heap does not execute: SIGSEGV. brk(2).
#include "mem/mem.h"

int main(void) {
    unsigned char *block = malloc(64);
    CHECK(block != NULL);
    memset(block, 0xc3, 64); // ret
    CHECK(readable(block));
    CHECK(writable(block));
    CHECK_EQ(block[63], 0xc3);
    CHECK_ERR(munmap(block + 1, PAGE), EINVAL);
    void (*volatile function)(void) = (void (*)(void))block;
    CHECK_DEATH(SIGSEGV, function());
}
