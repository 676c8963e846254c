// Locked memory is resident and cannot be dropped; locking needs a mapping. mlock(2).
#include "mem/mem.h"
#include <fcntl.h>
#include <sys/wait.h>

#ifndef MLOCK_ONFAULT
#define MLOCK_ONFAULT 1
#endif

static int resident(char *start, size_t pages) {
    unsigned char vector[64];
    int count = mincore(start, pages * PAGE, vector) == 0 ? 0 : -1;
    for (size_t i = 0; count >= 0 && i < pages; i++)
        count += vector[i] & 1;
    return count;
}

static long locked_kib(void) {
    char text[8192];
    int fd = open("/proc/self/status", O_RDONLY);
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    text[length < 0 ? 0 : length] = 0;
    char *line = strstr(text, "\nVmLck:");
    return line ? atol(line + 7) : -1;
}

// A child has nothing locked, neither what there is nor what it maps.
static int child_of_locked(char *locked) {
    pid_t child = fork();
    if (child == 0) {
        char *new = map_pages(4, PROT_READ | PROT_WRITE);
        madvise(new, 4 * PAGE, MADV_NOHUGEPAGE);
        _exit(resident(new, 4) == 0 && locked_kib() == 0 && madvise(locked, PAGE, MADV_DONTNEED) == 0 ? 3 : 4);
    }
    int status;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void) {
    char *p = map_pages(4, PROT_READ | PROT_WRITE);
    madvise(p, 4 * PAGE, MADV_NOHUGEPAGE); // EINVAL where there are none
    CHECK_EQ(resident(p, 4), 0);
    CHECK_OK(mlock(p + 1, PAGE));
    CHECK_EQ(resident(p, 4), 2);
    CHECK_ERR(madvise(p, PAGE, MADV_DONTNEED), EINVAL);
    CHECK_OK(munlock(p, 2 * PAGE));
    CHECK_OK(madvise(p, PAGE, MADV_DONTNEED));
    CHECK_EQ(resident(p, 4), 1);

    CHECK_OK(syscall(SYS_mlock2, p + 2 * PAGE, 2 * PAGE, MLOCK_ONFAULT));
    CHECK_EQ(resident(p, 4), 1);
    p[2 * PAGE] = 'l';
    CHECK_EQ(resident(p, 4), 2);
    CHECK_ERR(syscall(SYS_mlock2, p, PAGE, 2), EINVAL);

    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED;
    char *q = CHECK_OK(mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0));
    CHECK_EQ(resident(q, 4), 4);
    CHECK_OK(munlockall());
    CHECK_OK(madvise(q, 4 * PAGE, MADV_DONTNEED));
    CHECK_OK(mlock(p, 0));
    CHECK_OK(mlockall(MCL_FUTURE));
    char *locked = map_pages(4, PROT_READ | PROT_WRITE);
    CHECK_EQ(resident(locked, 4), 4);
    CHECK_ERR(madvise(locked, PAGE, MADV_DONTNEED), EINVAL);
    CHECK(locked_kib() >= (long)(4 * PAGE / 1024));
    CHECK_EQ(child_of_locked(locked), 3);
    CHECK_OK(munlockall());

    CHECK_OK(munmap(p + PAGE, PAGE));
    CHECK_ERR(mlock(p, 3 * PAGE), ENOMEM);
    CHECK_ERR(munlock(p + PAGE, PAGE), ENOMEM);
    CHECK_ERR(mlockall(0), EINVAL);
    CHECK_ERR(mlockall(64), EINVAL);
    CHECK_ERR(mlockall(MCL_ONFAULT), EINVAL);
    return CHECK_DONE();
}
