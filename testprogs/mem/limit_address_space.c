// RLIMIT_AS bounds all mappings together: mmap, mremap and brk fail with ENOMEM and leave things as
// they are. RLIMIT_DATA bounds private writable memory. setrlimit(2).
#include "mem/mem.h"

static int set_limit(int resource, rlim_t bytes) {
    struct rlimit limit;
    if (getrlimit(resource, &limit) != 0)
        return -1;
    limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
    return setrlimit(resource, &limit);
}

int main(void) {
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    size_t mebibyte = 1 << 20;
    CHECK_OK(set_limit(RLIMIT_AS, 256 * mebibyte));
    CHECK_ERR(mmap(NULL, 256 * mebibyte, PROT_NONE, flags, -1, 0), ENOMEM);
    char *p = CHECK_OK(mmap(NULL, 128 * mebibyte, PROT_NONE, flags, -1, 0));
    CHECK_ERR(mmap(NULL, 128 * mebibyte, PROT_NONE, flags, -1, 0), ENOMEM);
    CHECK_ERR(mremap(p, 128 * mebibyte, 256 * mebibyte, MREMAP_MAYMOVE), ENOMEM);
    CHECK_STR(rights(p, 1), "-");
    char *end = CHECK_OK((char *)syscall(SYS_brk, 0));
    CHECK_EQ(syscall(SYS_brk, end + 128 * mebibyte), end);
    CHECK_OK(munmap(p, 128 * mebibyte));
    char *q = CHECK_OK(mmap(NULL, 128 * mebibyte, PROT_NONE, flags, -1, 0));
    CHECK_EQ(mmap(q, 128 * mebibyte, PROT_NONE, flags | MAP_FIXED, -1, 0), q);
    CHECK_OK(munmap(q, 128 * mebibyte));
    CHECK_OK(set_limit(RLIMIT_AS, RLIM_INFINITY));

    CHECK_OK(set_limit(RLIMIT_DATA, 32 * mebibyte));
    CHECK_ERR(mmap(NULL, 64 * mebibyte, PROT_READ | PROT_WRITE, flags, -1, 0), ENOMEM);
    char *r = CHECK_OK(mmap(NULL, 64 * mebibyte, PROT_READ, flags, -1, 0));
    CHECK_ERR(mprotect(r, 64 * mebibyte, PROT_READ | PROT_WRITE), ENOMEM);
    CHECK_STR(rights(r, 1), "r");
    CHECK_OK(mprotect(r, mebibyte, PROT_READ | PROT_WRITE));
    CHECK_OK(munmap(r, 64 * mebibyte));
    end = CHECK_OK((char *)syscall(SYS_brk, 0));
    CHECK_EQ(syscall(SYS_brk, end + 40 * mebibyte), end);
    CHECK_OK(set_limit(RLIMIT_DATA, RLIM_INFINITY));
    CHECK_EQ(syscall(SYS_brk, end + 40 * mebibyte), end + 40 * mebibyte);
    CHECK_EQ(end[40 * mebibyte - 1], 0);
    return CHECK_DONE();
}
