// Buffers, paths, structures and iovec arrays that lie across a border of 1 GiB, mapped in an
// unusual order.
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#define GIB (1UL << 30)
enum { PAGE = 4096 };

static char *map(unsigned long at) {
    return CHECK_OK((char *)mmap((void *)at, PAGE, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
}

int main(void) {
    const unsigned long low = 0x100 * GIB, high = low + (1UL << 46);
    map(low);
    map(low + GIB);
    map(high + GIB - PAGE);
    char *edge = map(high + GIB), text[16] = "";
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));

    memcpy(edge - 3, "abcdefgh", 8);
    CHECK_EQ(write(fd, edge - 3, 8), 8);
    CHECK_EQ(pread(fd, text, sizeof text, 0), 8);
    CHECK_EQ(memcmp(text, "abcdefgh", 8), 0);
    memset(edge - 8, 0, 16);
    CHECK_EQ(pread(fd, edge - 2, 16, 0), 8);
    CHECK_EQ(memcmp(edge - 3, "\0abcdefgh", 10), 0);

    struct iovec *array = (struct iovec *)(edge - 16);
    array[0] = (struct iovec){edge - 30, 5};
    array[1] = (struct iovec){edge + 30, 3};
    CHECK_EQ(preadv(fd, array, 2, 0), 8);
    CHECK(memcmp(edge - 30, "abcde", 5) == 0 && memcmp(edge + 30, "fgh", 3) == 0);
    struct iovec across[] = {{edge - 5, 6}, {edge - 8, 2}};
    CHECK_EQ(preadv(fd, across, 2, 0), 8);
    CHECK_EQ(memcmp(edge - 8, "gh\0abcdef", 9), 0);
    CHECK_EQ(pwritev(fd, across, 2, 8), 8);
    CHECK_EQ(pread(fd, text, sizeof text, 8), 8);
    CHECK_EQ(memcmp(text, "abcdefgh", 8), 0);

    strcpy(edge - 2, "file");
    struct stat *st = (struct stat *)(edge - 40);
    CHECK_OK(syscall(SYS_stat, edge - 2, edge - 1024));
    CHECK_OK(syscall(SYS_fstat, fd, st));
    CHECK_EQ(st->st_size, 16);

    // What lies behind the border is out of bounds after all.
    CHECK_OK(mprotect(edge, PAGE, PROT_READ));
    CHECK_EQ(pread(fd, edge - 4, 8, 0), 4);
    CHECK_EQ(preadv(fd, across, 1, 0), 5);
    CHECK_EQ(pwrite(fd, edge - 4, 8, 0), 8);
    CHECK_OK(munmap(edge, PAGE));
    CHECK_EQ(pwrite(fd, edge - 4, 8, 0), 4);
    CHECK_EQ(pwritev(fd, across, 1, 0), 5);
    CHECK_EQ(pread(fd, edge - 4, 8, 0), 4);
    return CHECK_DONE();
}
