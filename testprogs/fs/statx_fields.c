// statx(2): the mask says which fields are valid, and unknown flags and reserved mask bits are refused.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/syscall.h>

int main(void) {
    struct statx x;
    struct stat st;
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(fd, "123", 3), 3);
    CHECK_OK(symlink("file", "link"));
    CHECK_OK(fstat(fd, &st));

    memset(&x, 0xff, sizeof x);
    CHECK_OK(statx(AT_FDCWD, "file", 0, STATX_BASIC_STATS, &x));
    CHECK_EQ(x.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    CHECK_EQ(x.stx_mode, S_IFREG | 0600);
    CHECK_EQ(x.stx_size, 3);
    CHECK_EQ(x.stx_nlink, 1);
    CHECK_EQ(x.stx_ino, st.st_ino);
    CHECK_EQ(x.stx_uid, geteuid());
    CHECK_EQ(x.stx_dev_major, major(st.st_dev));
    CHECK_EQ(x.stx_dev_minor, minor(st.st_dev));
    CHECK_EQ(x.stx_mtime.tv_sec, st.st_mtim.tv_sec);
    CHECK_EQ(x.stx_mtime.tv_nsec, st.st_mtim.tv_nsec);

    CHECK_OK(statx(fd, "", AT_EMPTY_PATH, STATX_SIZE, &x));
    CHECK_EQ(x.stx_size, 3);
    CHECK_OK(statx(AT_FDCWD, "link", AT_SYMLINK_NOFOLLOW, STATX_TYPE, &x));
    CHECK(S_ISLNK(x.stx_mode));
    CHECK_OK(statx(AT_FDCWD, "link", AT_STATX_FORCE_SYNC, STATX_TYPE, &x));
    CHECK(S_ISREG(x.stx_mode));
    CHECK_OK(statx(AT_FDCWD, "file", AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &x));
    CHECK_OK(statx(AT_FDCWD, "/dev/null", 0, STATX_BASIC_STATS, &x));
    CHECK(x.stx_rdev_major == 1 && x.stx_rdev_minor == 3);

    CHECK_ERR(statx(AT_FDCWD, "file", AT_STATX_FORCE_SYNC | AT_STATX_DONT_SYNC, 0, &x), EINVAL);
    CHECK_ERR(statx(AT_FDCWD, "file", 0x40000000, STATX_SIZE, &x), EINVAL);
    CHECK_ERR(statx(AT_FDCWD, "file", 0, STATX__RESERVED, &x), EINVAL);
    CHECK_ERR(statx(AT_FDCWD, "missing", 0, STATX_SIZE, &x), ENOENT);
    CHECK_ERR(statx(AT_FDCWD, "file/x", 0, STATX_SIZE, &x), ENOTDIR);
    CHECK_ERR(statx(AT_FDCWD, "", 0, STATX_SIZE, &x), ENOENT);
    CHECK_ERR(statx(99, "", AT_EMPTY_PATH, STATX_SIZE, &x), EBADF);
    CHECK_ERR(syscall(SYS_statx, AT_FDCWD, "file", 0, STATX_SIZE, NULL), EFAULT);
    CHECK_ERR(syscall(SYS_statx, AT_FDCWD, 8L, 0, STATX_SIZE, &x), EFAULT);
    return CHECK_DONE();
}
