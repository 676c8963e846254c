// RLIMIT_MEMLOCK bounds locked memory of a process without CAP_IPC_LOCK: ENOMEM from mlock, EAGAIN
// from mmap, EPERM when it is 0. mlock(2), mmap(2).
#include "mem/mem.h"

static int set_limit(size_t bytes) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0)
        return -1;
    limit.rlim_cur = bytes;
    return setrlimit(RLIMIT_MEMLOCK, &limit);
}

int main(void) {
    drop_capabilities();
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED;
    char *p = map_pages(16, PROT_READ | PROT_WRITE);
    CHECK_OK(set_limit(8 * PAGE));
    CHECK_OK(mlock(p, 4 * PAGE));
    CHECK_ERR(mlock(p + 4 * PAGE, 5 * PAGE), ENOMEM);
    CHECK_OK(mlock(p, 4 * PAGE));
    CHECK_ERR(mmap(NULL, 5 * PAGE, PROT_READ, flags, -1, 0), EAGAIN);
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ, flags, -1, 0));
    CHECK_ERR(mlock(p + 8 * PAGE, PAGE), ENOMEM);
    CHECK_OK(munmap(q, 4 * PAGE));
    CHECK_OK(mlock(p + 4 * PAGE, 4 * PAGE));
    CHECK_ERR(mremap(p + 4 * PAGE, 4 * PAGE, 8 * PAGE, MREMAP_MAYMOVE), EAGAIN);
    CHECK_OK(munlock(p, 16 * PAGE));
    CHECK_OK(set_limit(0));
    CHECK_ERR(mlock(p, PAGE), EPERM);
    CHECK_ERR(mlockall(MCL_CURRENT), EPERM);
    CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, flags, -1, 0), EPERM);
    return CHECK_DONE();
}
