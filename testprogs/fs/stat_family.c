// stat(2), lstat(2), fstat(2), newfstatat(2): what struct stat says of each type of file.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    struct stat st, other;
    umask(022);
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0640));
    CHECK_EQ(write(fd, "12345", 5), 5);
    CHECK_OK(syscall(SYS_stat, "file", &st));
    CHECK_EQ(st.st_mode, S_IFREG | 0640);
    CHECK_EQ(st.st_size, 5);
    CHECK_EQ(st.st_nlink, 1);
    CHECK_EQ(st.st_uid, geteuid());
    CHECK(st.st_blksize >= 512 && st.st_ino != 0);
    CHECK_OK(syscall(SYS_fstat, fd, &other));
    CHECK(st.st_ino == other.st_ino && st.st_dev == other.st_dev);
    CHECK_OK(syscall(SYS_newfstatat, fd, "", &other, AT_EMPTY_PATH));
    CHECK_EQ(st.st_ino, other.st_ino);
    CHECK_ERR(syscall(SYS_newfstatat, fd, "", &other, 0), ENOENT);
    CHECK_OK(syscall(SYS_newfstatat, AT_FDCWD, "", &other, AT_EMPTY_PATH));
    CHECK(S_ISDIR(other.st_mode));

    CHECK_OK(symlink("file", "link"));
    CHECK_OK(symlink("nowhere", "dangling"));
    CHECK_OK(syscall(SYS_lstat, "link", &other));
    CHECK_EQ(other.st_mode, S_IFLNK | 0777);
    CHECK_EQ(other.st_size, 4);
    CHECK_OK(syscall(SYS_stat, "link", &other));
    CHECK_EQ(st.st_ino, other.st_ino);
    CHECK_OK(syscall(SYS_newfstatat, AT_FDCWD, "link", &other, AT_SYMLINK_NOFOLLOW));
    CHECK(S_ISLNK(other.st_mode));
    CHECK_ERR(syscall(SYS_stat, "dangling", &other), ENOENT);
    CHECK_OK(syscall(SYS_lstat, "dangling", &other));

    CHECK_OK(mkdir("dir", 0750));
    CHECK_OK(stat("dir", &other));
    CHECK_EQ(other.st_mode, S_IFDIR | 0750);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_OK(fstat(ends[0], &other));
    CHECK_EQ(other.st_mode, S_IFIFO | 0600);
    CHECK_OK(stat("/dev/null", &other));
    CHECK(S_ISCHR(other.st_mode));
    CHECK_EQ(other.st_rdev, 0x103);

    CHECK_ERR(syscall(SYS_stat, "missing", &other), ENOENT);
    CHECK_ERR(syscall(SYS_stat, "", &other), ENOENT);
    CHECK_ERR(syscall(SYS_stat, "file/x", &other), ENOTDIR);
    CHECK_ERR(syscall(SYS_lstat, "link/", &other), ENOTDIR);
    CHECK_ERR(syscall(SYS_fstat, 99, &other), EBADF);
    CHECK_ERR(syscall(SYS_stat, "file", NULL), EFAULT);
    CHECK_ERR(syscall(SYS_fstat, fd, 8L), EFAULT);
    CHECK_ERR(syscall(SYS_stat, 8L, &other), EFAULT);
    CHECK_ERR(syscall(SYS_newfstatat, fd, "x", &other, 0), ENOTDIR);
    CHECK_ERR(syscall(SYS_newfstatat, AT_FDCWD, "file", &other, 0x10), EINVAL);
    return CHECK_DONE();
}
