// link(2), symlink(2), readlink(2), unlink(2): names come and go, the inode stays while it is open.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static long links(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? (long)st.st_nlink : -1;
}

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(fd, "kept", 4), 4);
    CHECK_OK(syscall(SYS_link, "file", "second"));
    CHECK_EQ(links(fd), 2);
    CHECK_ERR(link("file", "second"), EEXIST);
    CHECK_OK(syscall(SYS_unlink, "file"));
    CHECK_OK(unlink("second"));
    CHECK_EQ(links(fd), 0);
    char text[8] = "";
    CHECK_EQ(pread(fd, text, sizeof text, 0), 4);
    CHECK_STR(text, "kept");
    CHECK_ERR(unlink("file"), ENOENT);
    CHECK_ERR(linkat(AT_FDCWD, "file", AT_FDCWD, "new", 0), ENOENT);
    CHECK_ERR(linkat(fd, "", AT_FDCWD, "new", 0), ENOENT);

    CHECK_OK(syscall(SYS_symlink, "target/that is not there", "link"));
    char target[64];
    memset(target, '#', sizeof target);
    CHECK_EQ(syscall(SYS_readlink, "link", target, sizeof target), 24);
    CHECK_EQ(memcmp(target, "target/that is not there#", 25), 0);
    CHECK_EQ(readlink("link", text, 6), 6);
    CHECK_EQ(memcmp(text, "target", 6), 0);
    struct stat st;
    CHECK_OK(lstat("link", &st));
    CHECK_EQ(st.st_size, 24);
    int path = CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
    CHECK_EQ(readlinkat(path, "", target, sizeof target), 24);

    // link copies the symbolic link itself unless told to follow it.
    CHECK_OK(symlink("real", "pointer"));
    close(CHECK_OK(open("real", O_CREAT | O_RDWR, 0600)));
    CHECK_OK(link("pointer", "copy"));
    CHECK_OK(lstat("copy", &st));
    CHECK(S_ISLNK(st.st_mode));
    CHECK_OK(linkat(AT_FDCWD, "pointer", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    CHECK_OK(lstat("followed", &st));
    CHECK(S_ISREG(st.st_mode));

    CHECK_OK(mkdir("dir", 0755));
    CHECK_ERR(link("dir", "new"), EPERM);
    CHECK_ERR(unlink("dir"), EISDIR);
    CHECK_ERR(link("real", ""), ENOENT);
    CHECK_ERR(linkat(AT_FDCWD, "real", AT_FDCWD, "new", 0x40000000), EINVAL);
    CHECK_ERR(symlink("x", "real"), EEXIST);
    CHECK_ERR(symlink("", "new"), ENOENT);
    CHECK_ERR(readlink("real", target, sizeof target), EINVAL);
    CHECK_ERR(readlink("none", target, sizeof target), ENOENT);
    CHECK_ERR(readlink("real/x", target, sizeof target), ENOTDIR);
    CHECK_ERR(syscall(SYS_readlink, "link", target, 0L), EINVAL);
    CHECK_ERR(syscall(SYS_readlink, "link", target, -1L), EINVAL);
    CHECK_ERR(syscall(SYS_readlink, "link", NULL, 8L), EFAULT);
    CHECK_ERR(unlink("real/x"), ENOTDIR);
    return CHECK_DONE();
}
