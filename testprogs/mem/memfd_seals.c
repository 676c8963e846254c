// Seals of a memfd bound what mappings, writes and truncations may do. memfd_create(2), fcntl(2).
#include "mem/mem.h"

int main(void) {
    int fd = CHECK_OK(memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC));
    CHECK_OK(ftruncate(fd, 2 * PAGE));
    char *p = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    p[PAGE] = 's';
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);

    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    CHECK_ERR(ftruncate(fd, PAGE), EPERM);
    CHECK_ERR(ftruncate(fd, 3 * PAGE), EPERM);
    CHECK_ERR(pwrite(fd, "x", 1, 2 * PAGE), EPERM);
    CHECK_EQ(pwrite(fd, "x", 1, 0), 1);
    CHECK_EQ(p[0], 'x');

    // No F_SEAL_WRITE while a writable shared mapping lives.
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_OK(munmap(p, 2 * PAGE));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    CHECK_ERR(pwrite(fd, "y", 1, 0), EPERM);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    char *private = CHECK_OK(mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    CHECK_EQ(private[PAGE], 's');
    private[PAGE] = 'p';
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 's');

    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);

    // F_SEAL_FUTURE_WRITE leaves the mapping that is there.
    int future = CHECK_OK(memfd_create("future", MFD_ALLOW_SEALING));
    CHECK_OK(ftruncate(future, PAGE));
    char *q = CHECK_OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0));
    CHECK_OK(fcntl(future, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
    q[0] = 'f';
    char *r = CHECK_OK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, future, 0));
    CHECK_EQ(r[0], 'f');
    CHECK_ERR(mprotect(r, PAGE, PROT_READ | PROT_WRITE), EACCES);
    CHECK_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, future, 0), EPERM);

    int plain = CHECK_OK(memfd_create("plain", 0));
    CHECK_ERR(fcntl(plain, F_ADD_SEALS, F_SEAL_GROW), EPERM);
    CHECK_ERR(memfd_create("bad", 0x100), EINVAL);
    CHECK_ERR(memfd_create((char *)8, 0), EFAULT);
    return CHECK_DONE();
}
