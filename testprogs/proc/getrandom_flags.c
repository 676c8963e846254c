// getrandom(2): any length, flags, never the same twice.
#include "check.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>

int main(void) {
    unsigned char a[32] = {0}, b[32] = {0};
    static unsigned char big[100000];
    CHECK_EQ(syscall(SYS_getrandom, a, sizeof a, 0), sizeof a);
    CHECK_EQ(syscall(SYS_getrandom, b, sizeof b, GRND_NONBLOCK), sizeof b);
    CHECK(memcmp(a, b, sizeof a) != 0);
    CHECK_EQ(syscall(SYS_getrandom, a, 0, 0), 0);
    CHECK_EQ(syscall(SYS_getrandom, big, sizeof big, 4), sizeof big);
    int seen[256] = {0}, kinds = 0;
    for (size_t i = 0; i < sizeof big; i++)
        kinds += seen[big[i]]++ == 0;
    CHECK_EQ(kinds, 256);
    CHECK_EQ(getentropy(a, 32), 0);
    CHECK_ERR(getentropy(big, 257), EIO);
    CHECK_ERR(syscall(SYS_getrandom, a, 1, 8), EINVAL);
    CHECK_ERR(syscall(SYS_getrandom, a, 1, GRND_RANDOM | 4), EINVAL);
    CHECK_ERR(syscall(SYS_getrandom, 8L, 1, 0), EFAULT);

    // A fault in the middle gives what came before it.
    char *pages = CHECK_OK((char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(munmap(pages + 4096, 4096));
    CHECK_EQ(syscall(SYS_getrandom, pages + 4096 - 64, 64, 0), 64);
    CHECK(syscall(SYS_getrandom, pages, 8192, 0) <= 4096);
    return CHECK_DONE();
}
