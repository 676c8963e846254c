// memfd_create(2), fcntl(2) F_ADD_SEALS: a file without a name, and seals that stop changes for good.
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    struct stat st;
    int fd = CHECK_OK(memfd_create("name", MFD_CLOEXEC | MFD_ALLOW_SEALING));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_EQ(fcntl(fd, F_GET_SEALS), 0);
    CHECK_EQ(write(fd, "content", 7), 7);
    CHECK_OK(fstat(fd, &st));
    CHECK(S_ISREG(st.st_mode) && st.st_nlink == 0 && st.st_size == 7);
    CHECK_OK(ftruncate(fd, 4096));
    char *map = CHECK_OK((char *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
    map[0] = 'C';
    char text[8] = "";
    CHECK_EQ(pread(fd, text, 7, 0), 7);
    CHECK_STR(text, "Content");

    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EBUSY);
    CHECK_OK(munmap(map, 4096));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
    CHECK_ERR(ftruncate(fd, 0), EPERM);
    CHECK_OK(ftruncate(fd, 8192));
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW));
    CHECK_ERR(ftruncate(fd, 8193), EPERM);
    CHECK_ERR(pwrite(fd, "x", 1, 8192), EPERM);
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE));
    CHECK_ERR(pwrite(fd, "x", 1, 0), EPERM);
    CHECK_ERR(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    map = CHECK_OK((char *)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
    map[0] = 'p';
    CHECK_EQ(pread(fd, text, 1, 0), 1);
    CHECK_EQ(text[0], 'C');
    CHECK_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL));
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE), EPERM);
    CHECK_EQ(fcntl(fd, F_GET_SEALS),
             F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE);

    int plain = CHECK_OK(memfd_create("", 0));
    CHECK_EQ(fcntl(plain, F_GET_SEALS), F_SEAL_SEAL);
    CHECK_ERR(fcntl(plain, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    CHECK_ERR(fcntl(fd, F_ADD_SEALS, 1 << 20), EINVAL);
    char name[251];
    memset(name, 'n', sizeof name);
    name[250] = 0;
    CHECK_ERR(memfd_create(name, 0), EINVAL);
    name[249] = 0;
    CHECK_OK(memfd_create(name, 0));
    CHECK_ERR(memfd_create("x", 1u << 30), EINVAL);
    CHECK_ERR(syscall(SYS_memfd_create, 8L, 0), EFAULT);
    return CHECK_DONE();
}
