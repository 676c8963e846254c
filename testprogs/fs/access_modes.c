// access(2), faccessat(2), faccessat2(2): permission as the real user has it, and the flags of each.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { EMPTY_PATH = 0x1000 };

int main(void) {
    bool root = geteuid() == 0;
    umask(0);
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_OK(symlink("nowhere", "dangling"));
    CHECK_OK(symlink("file", "link"));
    CHECK_OK(syscall(SYS_access, "file", F_OK));
    CHECK_OK(syscall(SYS_access, "file", R_OK | W_OK));
    // Not even root may execute what nobody may.
    CHECK_ERR(syscall(SYS_access, "file", X_OK), EACCES);
    CHECK_OK(chmod("file", 0100));
    CHECK_OK(access("file", X_OK));
    CHECK_EQ(access("file", R_OK), root ? 0 : -1);
    CHECK_EQ(access("file", W_OK), root ? 0 : -1);
    CHECK_OK(chmod("file", 0));
    CHECK_OK(access("file", F_OK));
    CHECK_EQ(access("file", W_OK | X_OK), -1);
    CHECK_EQ(errno, EACCES);

    CHECK_ERR(access("file", 8), EINVAL);
    CHECK_ERR(access("missing", F_OK), ENOENT);
    CHECK_ERR(access("", F_OK), ENOENT);
    CHECK_ERR(access("file/x", F_OK), ENOTDIR);
    CHECK_ERR(access("dangling", F_OK), ENOENT);
    CHECK_ERR(syscall(SYS_access, 8L, F_OK), EFAULT);

    // The old call has no flags: a fourth argument is not looked at.
    CHECK_OK(syscall(SYS_faccessat, AT_FDCWD, "file", F_OK, -1));
    CHECK_OK(syscall(SYS_faccessat2, AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
    CHECK_OK(syscall(SYS_faccessat2, AT_FDCWD, "file", F_OK, AT_EACCESS));
    CHECK_OK(syscall(SYS_faccessat2, fd, "", F_OK, EMPTY_PATH));
    CHECK_ERR(syscall(SYS_faccessat2, fd, "", X_OK, EMPTY_PATH), EACCES);
    CHECK_ERR(syscall(SYS_faccessat2, fd, "", F_OK, 0), ENOENT);
    CHECK_ERR(syscall(SYS_faccessat2, AT_FDCWD, "file", F_OK, 0x40000000), EINVAL);
    CHECK_ERR(syscall(SYS_faccessat2, 99, "file", F_OK, 0), EBADF);
    CHECK_ERR(syscall(SYS_faccessat2, fd, "x", F_OK, 0), ENOTDIR);
    return CHECK_DONE();
}
