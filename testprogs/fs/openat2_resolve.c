// openat2(2): RESOLVE_* confine the walk, and the size of struct open_how is its version.
#include "check.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static int open_how(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
}

int main(void) {
    CHECK_OK(mkdir("jail", 0755));
    CHECK_OK(symlink("inside", "jail/link"));
    CHECK_OK(symlink("../outside", "jail/escape"));
    CHECK_OK(symlink("/inside", "jail/absolute"));
    int dir = CHECK_OK(open("jail", O_PATH | O_DIRECTORY));
    close(CHECK_OK(open_how(dir, "inside", O_CREAT | O_RDWR | O_CLOEXEC, 0600, 0)));
    close(CHECK_OK(open("outside", O_CREAT | O_RDWR, 0600)));

    int fd = CHECK_OK(open_how(dir, "link", O_RDONLY, 0, RESOLVE_BENEATH));
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
    close(CHECK_OK(open_how(dir, "escape", O_RDONLY, 0, 0)));
    CHECK_ERR(open_how(dir, "escape", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    CHECK_ERR(open_how(dir, "../outside", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    CHECK_ERR(open_how(dir, "absolute", O_RDONLY, 0, RESOLVE_BENEATH), EXDEV);
    CHECK_ERR(open_how(dir, "link", O_RDONLY, 0, RESOLVE_NO_SYMLINKS), ELOOP);
    close(CHECK_OK(open_how(dir, "inside", O_RDONLY, 0, RESOLVE_NO_SYMLINKS)));
    close(CHECK_OK(open_how(dir, "absolute", O_RDONLY, 0, RESOLVE_IN_ROOT)));
    CHECK_ERR(open_how(dir, "../outside", O_RDONLY, 0, RESOLVE_IN_ROOT), ENOENT);
    CHECK_ERR(open_how(AT_FDCWD, "/proc/self", O_RDONLY, 0, RESOLVE_NO_XDEV), EXDEV);

    CHECK_ERR(open_how(dir, "inside", O_RDONLY | 0x40000000, 0, 0), EINVAL);
    CHECK_ERR(open_how(dir, "inside", O_RDONLY, 0600, 0), EINVAL);
    CHECK_ERR(open_how(dir, "inside", O_CREAT | O_RDWR, 0200000, 0), EINVAL);
    CHECK_ERR(open_how(dir, "inside", O_RDONLY, 0, 1ull << 40), EINVAL);
    CHECK_ERR(open_how(dir, "inside", O_RDONLY, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT), EINVAL);
    CHECK_ERR(open_how(dir, "missing", O_RDONLY, 0, 0), ENOENT);
    CHECK_ERR(open_how(-1, "inside", O_RDONLY, 0, 0), EBADF);

    // A longer struct is welcome as long as what we do not know of it is zero.
    struct {
        struct open_how how;
        char tail[40];
    } longer = {.how.flags = O_RDONLY};
    CHECK_ERR(syscall(SYS_openat2, dir, "inside", &longer, 0), EINVAL);
    CHECK_ERR(syscall(SYS_openat2, dir, "inside", &longer, sizeof longer.how - 1), EINVAL);
    close(CHECK_OK((int)syscall(SYS_openat2, dir, "inside", &longer, sizeof longer)));
    longer.tail[39] = 1;
    CHECK_ERR(syscall(SYS_openat2, dir, "inside", &longer, sizeof longer), E2BIG);
    CHECK_ERR(syscall(SYS_openat2, dir, "inside", &longer, 4097), E2BIG);
    CHECK_ERR(syscall(SYS_openat2, dir, "inside", NULL, sizeof longer.how), EFAULT);
    return CHECK_DONE();
}
