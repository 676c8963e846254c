// getrlimit(2) RLIMIT_FSIZE: a write past the limit sends SIGXFSZ, which by default kills.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>

int main(void) {
    struct rlimit limit, core = {0, 0};
    signal(SIGXFSZ, SIG_DFL);
    CHECK_OK(setrlimit(RLIMIT_CORE, &core));
    CHECK_OK(getrlimit(RLIMIT_FSIZE, &limit));
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(pwrite(fd, "x", 1, -1), EINVAL);
    CHECK_EQ(pwrite(fd, "x", 1, 100), 1);
    limit.rlim_cur = 1 << 20;
    CHECK_OK(setrlimit(RLIMIT_FSIZE, &limit));
    CHECK_EQ(pwrite(fd, "x", 1, (1 << 20) - 1), 1);
    CHECK_DEATH(SIGXFSZ, pwrite(fd, "x", 1, 1 << 20));
}
