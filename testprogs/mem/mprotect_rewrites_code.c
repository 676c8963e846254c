// Code that is written, protected, run and rewritten runs as last written, 500 times over: no stale
// instruction and no stale translation. Also through two views of one file. mprotect(2).
#include "mem/mem.h"

typedef uint32_t function(void);

// mov $value, %eax; ret
static void emit(unsigned char *at, uint32_t value) {
    at[0] = 0xb8;
    memcpy(at + 1, &value, sizeof value);
    at[5] = 0xc3;
}

int main(void) {
    unsigned char *code = (unsigned char *)map_pages(2, PROT_READ | PROT_WRITE);
    unsigned char *spots[] = {code, code + 100, code + PAGE - 3, code + PAGE + 64};
    int wrong = 0, refused = 0, left_writable = 0;
    for (uint32_t round = 0; round < 500; round++) {
        refused += mprotect(code, 2 * PAGE, PROT_READ | PROT_WRITE) != 0;
        for (uint32_t i = 0; i < 4; i++)
            emit(spots[i], round * 4 + i);
        refused += mprotect(code, 2 * PAGE, PROT_READ | PROT_EXEC) != 0;
        for (uint32_t i = 0; i < 4; i++)
            wrong += ((function *)spots[i])() != round * 4 + i;
        if (round % 100 == 0)
            left_writable += writable(code);
    }
    CHECK_EQ(refused, 0);
    CHECK_EQ(wrong, 0);
    CHECK_EQ(left_writable, 0);
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), code, 1), EFAULT);

    // New memory at the same place.
    for (uint32_t round = 0; round < 100; round++) {
        int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        refused += mmap(code, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) != code;
        emit(code, ~round);
        refused += mprotect(code, PAGE, PROT_READ | PROT_EXEC) != 0;
        wrong += ((function *)code)() != ~round;
    }
    CHECK_EQ(refused, 0);
    CHECK_EQ(wrong, 0);

    // Written through one view, run through the other.
    int fd = CHECK_OK(memfd_create("code", 0));
    CHECK_OK(ftruncate(fd, PAGE));
    unsigned char *view = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    function *run = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0));
    for (uint32_t round = 0; round < 500; round++) {
        emit(view, round ^ 0xa5a5a5a5);
        wrong += run() != (round ^ 0xa5a5a5a5);
    }
    CHECK_EQ(wrong, 0);
    return CHECK_DONE();
}
