// getrlimit(2): soft limits move up to the hard one, hard ones only down; each is felt where it counts.
#include "check.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

int main(void) {
    struct rlimit l, back;
    for (int resource = 0; resource < RLIM_NLIMITS; resource++) {
        if (getrlimit(resource, &l) != 0 || l.rlim_cur > l.rlim_max)
            NOTE("limit %d is odd", resource);
    }
    CHECK_OK(getrlimit(RLIMIT_STACK, &l));
    CHECK(l.rlim_cur >= 65536);
    CHECK_OK(getrlimit(RLIMIT_NOFILE, &l));
    l.rlim_cur = 32;
    CHECK_OK(syscall(SYS_setrlimit, RLIMIT_NOFILE, &l));
    CHECK_OK(syscall(SYS_getrlimit, RLIMIT_NOFILE, &back));
    CHECK(back.rlim_cur == 32 && back.rlim_max == l.rlim_max);
    CHECK_EQ(sysconf(_SC_OPEN_MAX), 32);
    struct rlimit next = {16, 16}, old;
    CHECK_OK(prlimit(0, RLIMIT_NOFILE, &next, &old));
    CHECK(old.rlim_cur == 32 && old.rlim_max == l.rlim_max);
    CHECK_OK(prlimit(getpid(), RLIMIT_NOFILE, NULL, &old));
    CHECK(old.rlim_cur == 16 && old.rlim_max == 16);
    next = (struct rlimit){10, 5};
    CHECK_ERR(setrlimit(RLIMIT_NOFILE, &next), EINVAL);
    CHECK_ERR(syscall(SYS_getrlimit, RLIM_NLIMITS, &l), EINVAL);
    CHECK_ERR(syscall(SYS_prlimit64, 0, -1, NULL, NULL), EINVAL);
    CHECK_ERR(prlimit(0x3fffffff, RLIMIT_NOFILE, NULL, &old), ESRCH);
    CHECK_ERR(syscall(SYS_getrlimit, RLIMIT_NOFILE, NULL), EFAULT);
    next = (struct rlimit){0, 0};
    CHECK_OK(setrlimit(RLIMIT_CORE, &next));

    void *top = sbrk(0);
    CHECK_OK(getrlimit(RLIMIT_DATA, &l));
    next = (struct rlimit){8 << 20, l.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_DATA, &next));
    CHECK_ERR(sbrk(16 << 20), ENOMEM);
    CHECK_EQ(sbrk(0), top);
    CHECK_ERR(mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
              ENOMEM);
    // Only private writable memory counts as data.
    CHECK_OK(mmap(NULL, 16 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(mmap(NULL, 16 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(setrlimit(RLIMIT_DATA, &l));
    CHECK_OK(sbrk(16 << 20));

    CHECK_OK(getrlimit(RLIMIT_AS, &l));
    next = (struct rlimit){256 << 20, l.rlim_max};
    CHECK_OK(setrlimit(RLIMIT_AS, &next));
    CHECK_ERR(mmap(NULL, 256 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), ENOMEM);
    CHECK(malloc(256 << 20) == NULL);
    void *map = CHECK_OK(mmap(NULL, 64 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_ERR(mremap(map, 64 << 20, 256 << 20, MREMAP_MAYMOVE), ENOMEM);
    CHECK_OK(munmap(map, 64 << 20));
    CHECK_OK(setrlimit(RLIMIT_AS, &l));
    CHECK_OK(mmap(NULL, 256 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

    // Last, and without privilege: a hard limit that is down stays down.
    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        SKIP("cannot leave root");
    next = (struct rlimit){16, 17};
    CHECK_ERR(setrlimit(RLIMIT_NOFILE, &next), EPERM);
    next = (struct rlimit){0, 1};
    CHECK_ERR(setrlimit(RLIMIT_CORE, &next), EPERM);
    return CHECK_DONE();
}
