// The stack grows when a system call writes far below the stack pointer, and when the program does,
// up to RLIMIT_STACK. setrlimit(2), mmap(2).
#include "mem/mem.h"

int main(void) {
    struct rlimit limit;
    CHECK_OK(getrlimit(RLIMIT_STACK, &limit));
    limit.rlim_cur = 4 << 20;
    CHECK_OK(setrlimit(RLIMIT_STACK, &limit));

    char *here = __builtin_frame_address(0);
    size_t mebibyte = 1 << 20;
    CHECK_EQ(write(probe_pipe(1), "far below", 9), 9);
    CHECK_EQ(read(probe_pipe(0), here - mebibyte, 9), 9);
    CHECK(memcmp(here - mebibyte, "far below", 9) == 0);
    CHECK_EQ(here[-(long)mebibyte - 3000], 0);

    // What lies in between is there, and a write from untouched stack sends zeros.
    CHECK(writable(here - mebibyte / 2));
    char byte = 'x';
    CHECK_EQ(write(probe_pipe(1), here - 2 * mebibyte, 1), 1);
    CHECK_EQ(read(probe_pipe(0), &byte, 1), 1);
    CHECK_EQ(byte, 0);
    *(volatile char *)(here - 3 * mebibyte) = 'd';
    CHECK(readable(here - 3 * mebibyte));

    CHECK(!readable(here - 5 * mebibyte));
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), here - 5 * mebibyte, 1), EFAULT);

    // A higher limit takes effect at once.
    limit.rlim_cur = 7 << 20;
    CHECK_OK(setrlimit(RLIMIT_STACK, &limit));
    CHECK_EQ(read(probe_pipe(0), here - 5 * mebibyte, 1), 1);
    CHECK_EQ(here[-5 * (long)mebibyte], 'x');
    return CHECK_DONE();
}
