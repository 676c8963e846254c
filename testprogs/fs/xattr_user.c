// xattr(7): user.* attributes of a file, sizes asked with an empty buffer, and the errno of each refusal.
#include "check.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

int main(void) {
    char value[64];
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_OK(symlink("file", "link"));

    // These do not depend on what the file system can store.
    CHECK_ERR(setxattr("file", "", "v", 1, 0), ERANGE);
    CHECK_ERR(setxattr("none", "user.a", "v", 1, 0), ENOENT);
    CHECK_ERR(setxattr("file", "user.a", "v", 1, 9), EINVAL);
    CHECK_ERR(syscall(SYS_setxattr, "file", "user.a", "v", 65537L, 0), E2BIG);
    CHECK_ERR(setxattr("file", "nonsense", "v", 1, 0), EOPNOTSUPP);
    CHECK_ERR(syscall(SYS_setxattr, "file", 8L, "v", 1L, 0), EFAULT);
    CHECK_ERR(syscall(SYS_setxattr, "file", "user.a", 8L, 1L, 0), EFAULT);
    CHECK_ERR(fgetxattr(99, "user.a", value, sizeof value), EBADF);
    CHECK_ERR(lsetxattr("link", "user.a", "v", 1, 0), EPERM);

    if (setxattr("file", "user.a", "hello", 5, XATTR_CREATE) != 0) {
        NOTE("the file system has no user attributes: %s", check_errno_name(errno));
        return CHECK_DONE();
    }
    CHECK_EQ(getxattr("link", "user.a", value, sizeof value), 5);
    CHECK_EQ(memcmp(value, "hello", 5), 0);
    CHECK_EQ(fgetxattr(fd, "user.a", NULL, 0), 5);
    CHECK_ERR(getxattr("file", "user.a", value, 4), ERANGE);
    CHECK_ERR(setxattr("file", "user.a", "x", 1, XATTR_CREATE), EEXIST);
    CHECK_ERR(setxattr("file", "user.b", "x", 1, XATTR_REPLACE), ENODATA);
    CHECK_OK(fsetxattr(fd, "user.a", "", 0, XATTR_REPLACE));
    CHECK_EQ(getxattr("file", "user.a", value, sizeof value), 0);
    CHECK_OK(setxattr("file", "user.b", "\0\1\2", 3, 0));
    CHECK_EQ(getxattr("file", "user.b", value, sizeof value), 3);
    CHECK_EQ(memcmp(value, "\0\1\2", 3), 0);
    CHECK(listxattr("file", NULL, 0) >= 14);
    char list[4096];
    long length = CHECK_OK(flistxattr(fd, list, sizeof list));
    CHECK(memmem(list, length, "user.a", 7) && memmem(list, length, "user.b", 7));
    CHECK_ERR(listxattr("file", list, 3), ERANGE);
    CHECK_OK(removexattr("file", "user.a"));
    CHECK_ERR(fremovexattr(fd, "user.a"), ENODATA);
    CHECK_ERR(getxattr("file", "user.a", value, sizeof value), ENODATA);
    CHECK_ERR(lgetxattr("link", "user.b", value, sizeof value), ENODATA);
    return CHECK_DONE();
}
