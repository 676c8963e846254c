// fcntl(2): status flags that F_SETFL may and may not change, owners and signals, seals of a plain file.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>

// Set on every open of a 64-bit process; the O_LARGEFILE of its headers is 0.
enum { LARGE_FILE = 0100000 };

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(fcntl(fd, F_GETFL), O_RDWR | LARGE_FILE);
    CHECK_OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND | O_NOATIME));
    CHECK_EQ(fcntl(fd, F_GETFL) & ~LARGE_FILE, O_RDWR | O_NONBLOCK | O_APPEND | O_NOATIME);
    // Access mode, creation flags and O_SYNC are not for F_SETFL to change.
    CHECK_OK(fcntl(fd, F_SETFL, O_WRONLY | O_TRUNC | O_EXCL | O_SYNC));
    CHECK_EQ(fcntl(fd, F_GETFL) & ~LARGE_FILE, O_RDWR);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_OK(fcntl(fd, F_SETFD, FD_CLOEXEC | 0x40));
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);

    int ends[2];
    CHECK_OK(pipe2(ends, O_CLOEXEC | O_NONBLOCK));
    CHECK_EQ(fcntl(ends[0], F_GETFL), O_RDONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(ends[1], F_GETFL), O_WRONLY | O_NONBLOCK);
    CHECK_EQ(fcntl(ends[1], F_GETFD), FD_CLOEXEC);

    CHECK_EQ(fcntl(ends[0], F_GETOWN), 0);
    CHECK_OK(fcntl(ends[0], F_SETOWN, getpid()));
    CHECK_EQ(fcntl(ends[0], F_GETOWN), getpid());
    struct f_owner_ex owner = {F_OWNER_TID, gettid()};
    CHECK_OK(fcntl(ends[0], F_SETOWN_EX, &owner));
    owner.pid = 0;
    CHECK_OK(fcntl(ends[0], F_GETOWN_EX, &owner));
    CHECK(owner.type == F_OWNER_TID && owner.pid == gettid());
    CHECK_EQ(fcntl(ends[0], F_GETSIG), 0);
    CHECK_OK(fcntl(ends[0], F_SETSIG, SIGUSR1));
    CHECK_EQ(fcntl(ends[0], F_GETSIG), SIGUSR1);
    CHECK_ERR(fcntl(ends[0], F_SETSIG, 65), EINVAL);
    CHECK_ERR(fcntl(ends[0], F_SETOWN_EX, NULL), EFAULT);
    owner.type = 9;
    CHECK_ERR(fcntl(ends[0], F_SETOWN_EX, &owner), EINVAL);

    uint64_t hint = 77;
    CHECK_OK(fcntl(fd, F_GET_RW_HINT, &hint));
    CHECK_EQ(hint, RWH_WRITE_LIFE_NOT_SET);
    CHECK_OK(fcntl(fd, F_SET_RW_HINT, &(uint64_t){RWH_WRITE_LIFE_SHORT}));
    CHECK_OK(fcntl(fd, F_GET_RW_HINT, &hint));
    CHECK_EQ(hint, RWH_WRITE_LIFE_SHORT);
    CHECK_ERR(fcntl(fd, F_SET_RW_HINT, &(uint64_t){99}), EINVAL);

    CHECK_ERR(fcntl(fd, 9999, 0), EINVAL);
    CHECK_ERR(fcntl(99, F_GETFL), EBADF);
    int path = CHECK_OK(open("file", O_PATH));
    CHECK_EQ(fcntl(path, F_GETFD), 0);
    CHECK_ERR(fcntl(path, F_SETFL, O_NONBLOCK), EBADF);
    return CHECK_DONE();
}
