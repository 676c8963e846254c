// getrlimit(2) RLIMIT_FSIZE: with SIGXFSZ ignored, writes stop at the limit and then fail with EFBIG.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>

int main(void) {
    // The checks print to a descriptor that may itself be a file, so the limit is only on while needed.
    struct rlimit limit, low;
    static char block[1000];
    signal(SIGXFSZ, SIG_IGN);
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    low = limit;
    low.rlim_cur = 5000;

    setrlimit(RLIMIT_FSIZE, &low);
    ssize_t wrote[7];
    for (int i = 0; i < 7; i++)
        wrote[i] = write(fd, block, i < 5 ? 900 : 1000);
    int at_limit = errno;
    int truncated = ftruncate(fd, 5001);
    int truncate_errno = errno;
    int allocated = fallocate(fd, 0, 0, 6000);
    int allocate_errno = errno;
    int shrunk = ftruncate(fd, 10);
    ssize_t beyond = pwrite(fd, block, 1, 5000);
    int beyond_errno = errno;
    ssize_t last = pwrite(fd, block, 10, 4995);
    int memory = memfd_create("m", 0);
    ssize_t in_memory = pwrite(memory, block, 1, 6000);
    int in_memory_errno = errno;
    int ends[2];
    bool piped = pipe(ends) == 0 && write(ends[1], block, 1000) == 1000;
    setrlimit(RLIMIT_FSIZE, &limit);

    CHECK(wrote[0] == 900 && wrote[4] == 900);
    CHECK_EQ(wrote[5], 500);
    CHECK_EQ(wrote[6], -1);
    CHECK_EQ(at_limit, EFBIG);
    CHECK_EQ(truncated, -1);
    CHECK_EQ(truncate_errno, EFBIG);
    CHECK_EQ(allocated, -1);
    CHECK(allocate_errno == EFBIG || allocate_errno == EOPNOTSUPP);
    CHECK_EQ(shrunk, 0);
    CHECK_EQ(beyond, -1);
    CHECK_EQ(beyond_errno, EFBIG);
    CHECK_EQ(last, 5);
    CHECK_EQ(in_memory, -1);
    CHECK_EQ(in_memory_errno, EFBIG);
    CHECK(piped);
    CHECK_EQ(pwrite(fd, block, 1, 8000), 1);
    return CHECK_DONE();
}
