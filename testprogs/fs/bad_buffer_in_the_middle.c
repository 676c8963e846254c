// read(2), write(2) with a buffer that runs into an unmapped page: calls transfer what fits before it, and
// fail with EFAULT if nothing does.
#include "check.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>

enum { PAGE = 4096 };

int main(void) {
    char *pages = CHECK_OK((char *)mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(munmap(pages + PAGE, PAGE));
    char *edge = pages + PAGE;
    memset(pages, 'p', PAGE);

    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(write(fd, edge, 1), EFAULT);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
    CHECK_EQ(write(fd, edge - 100, 100), 100);
    CHECK_ERR(pread(fd, edge, 1, 0), EFAULT);
    CHECK_EQ(pread(fd, edge, 1, 100), 0);
    CHECK_EQ(pread(fd, edge - 100, 200, 0), 100);
    memset(edge - 10, 0, 10);
    CHECK_EQ(pread(fd, edge - 10, 20, 0), 10);
    CHECK_EQ(memcmp(edge - 10, "pppppppppp", 10), 0);
    CHECK_EQ(ftruncate(fd, 0), 0);
    struct iovec first_good[] = {{pages, 8}, {edge, 8}, {pages, 8}};
    struct iovec first_bad[] = {{edge, 8}, {pages, 8}};
    CHECK_EQ(pwritev(fd, first_good, 3, 0), 8);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 8);
    CHECK_ERR(pwritev(fd, first_bad, 2, 0), EFAULT);
    CHECK_ERR(preadv(fd, first_bad, 2, 0), EFAULT);

    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERR(write(ends[1], edge, 1), EFAULT);
    CHECK_ERR(write(ends[1], edge - 4, 8), EFAULT);
    CHECK_EQ(write(ends[1], "pipe", 4), 4);
    CHECK_ERR(read(ends[0], edge, 4), EFAULT);
    CHECK_EQ(read(ends[0], edge - 4, 4), 4);
    CHECK_EQ(memcmp(edge - 4, "pipe", 4), 0);

    int pair[2];
    CHECK_OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, pair));
    CHECK_ERR(send(pair[0], edge - 4, 8, 0), EFAULT);
    CHECK_EQ(send(pair[0], "datagram", 8, 0), 8);
    CHECK_ERR(recv(pair[1], edge - 4, 8, MSG_PEEK), EFAULT);
    CHECK_EQ(recv(pair[1], pages, 8, MSG_DONTWAIT), 8);

    // A page without the right protection is as bad as a missing one.
    CHECK_OK(mprotect(pages, PAGE, PROT_READ));
    CHECK_EQ(pwrite(fd, pages, 4, 0), 4);
    CHECK_ERR(pread(fd, pages, 4, 0), EFAULT);
    CHECK_OK(mprotect(pages, PAGE, PROT_NONE));
    CHECK_ERR(pwrite(fd, pages, 4, 0), EFAULT);
    return CHECK_DONE();
}
