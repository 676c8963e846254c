/* Code that is written where it cannot be executed, and executed where it cannot be written. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef uint64_t code(void);

int main(void)
{
    static const unsigned char ONE[] = { 0xb8, 1, 0, 0, 0, 0xc3 };
    static const unsigned char RDTSC[] = { 0x0f, 0x31, 0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xc3 };
    int fd = memfd_create("code", 0);
    if (ftruncate(fd, 4096))
        return 1;
    unsigned char *written = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    unsigned char *executed = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
    memcpy(written, ONE, sizeof ONE);
    uint64_t before = ((code *)executed)();
    memcpy(written, RDTSC, sizeof RDTSC);
    printf("%lu, then %s\n", before, ((code *)executed)() ? "another" : "none");
    return 0;
}
