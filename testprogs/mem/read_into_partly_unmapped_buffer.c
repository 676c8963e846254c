// A transfer that meets a bad page moves what comes before it, or nothing when the unit cannot be
// split: EFAULT. read(2), write(2).
#include "mem/mem.h"

#include <sys/utsname.h>
#include <sys/stat.h>

int main(void) {
    int fd = CHECK_OK(memfd_create("source", 0));
    CHECK_OK(ftruncate(fd, 4 * PAGE));
    char *p = map_island(4, PROT_READ | PROT_WRITE);
    for (int i = 0; i < 4; i++) {
        memset(p + i * PAGE, 'a' + i, PAGE);
        CHECK_EQ(pwrite(fd, p + i * PAGE, PAGE, i * (long)PAGE), PAGE);
    }
    CHECK_OK(munmap(p + 2 * PAGE, PAGE));
    memset(p, 0, 2 * PAGE);

    // A file: up to the bad page, to the byte.
    CHECK_EQ(pread(fd, p, 4 * PAGE, 0), 2 * PAGE);
    CHECK(filled(p + PAGE, PAGE, 'b'));
    CHECK_EQ(pread(fd, p + 2 * PAGE - 50, 100, 0), 50);
    CHECK(filled(p + 2 * PAGE - 50, 50, 'a'));
    CHECK_ERR(pread(fd, p + 2 * PAGE, PAGE, 0), EFAULT);
    CHECK_EQ(pread(fd, p + 2 * PAGE, 0, 0), 0);
    CHECK_EQ(pread(fd, p + 2 * PAGE, 100, 4 * PAGE), 0);
    CHECK_EQ(pwrite(fd, p + 2 * PAGE - 50, 100, 0), 50);
    CHECK_ERR(pwrite(fd, p + 3 * PAGE - 1, 2, 0), EFAULT);
    CHECK_ERR(pwrite(fd, p - 1, 2, 0), EFAULT);

    // The position moves by what was transferred.
    CHECK_EQ(lseek(fd, 100, SEEK_SET), 100);
    CHECK_EQ(read(fd, p + 2 * PAGE - 10, 20), 10);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 110);
    CHECK_ERR(read(fd, p + 2 * PAGE, 20), EFAULT);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 110);

    // A pipe buffer is taken whole or stays.
    CHECK_EQ(write(probe_pipe(1), "0123456789", 10), 10);
    CHECK_ERR(read(probe_pipe(0), p + 2 * PAGE - 5, 10), EFAULT);
    CHECK_EQ(read(probe_pipe(0), p + 2 * PAGE - 10, 10), 10);
    CHECK(memcmp(p + 2 * PAGE - 10, "0123456789", 10) == 0);
    CHECK_ERR(write(probe_pipe(1), p + 2 * PAGE - 5, 10), EFAULT);

    // Structures are written whole or not at all as far as the result tells.
    struct stat *status = (struct stat *)(p + 2 * PAGE) - 1;
    CHECK_OK(fstat(fd, status));
    CHECK_EQ(status->st_size, 4 * PAGE);
    CHECK_ERR(fstat(fd, (struct stat *)((char *)status + 8)), EFAULT);
    CHECK_ERR(uname((struct utsname *)(p + 2 * PAGE - 65)), EFAULT);
    CHECK_OK(mprotect(p + PAGE, PAGE, PROT_READ));
    CHECK_ERR(fstat(fd, status), EFAULT);
    CHECK_EQ(pread(fd, p, 2 * PAGE, 0), PAGE);
    CHECK_EQ(pwrite(fd, p, 2 * PAGE, 0), 2 * PAGE);
    return CHECK_DONE();
}
