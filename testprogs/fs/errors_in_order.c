// errno(3) from calls with more than one wrong argument: which error it is, the kernel's order of
// checks decides.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>

// An address that is never mapped, and a descriptor that is never open.
#define BAD 8L
#define CLOSED 999

#define SHOW(...)                                                                                  \
    ({                                                                                             \
        errno = 0;                                                                                 \
        bool failed = syscall(__VA_ARGS__) == -1;                                                  \
        NOTE("%s: %s", #__VA_ARGS__, failed ? check_errno_name(errno) : "success");                \
    })

static char too_long[5000];

static void paths(void) {
    struct stat st;
    SHOW(SYS_rename, "none/x", BAD);
    SHOW(SYS_rename, BAD, "none/x");
    SHOW(SYS_rename, "none/x", too_long);
    SHOW(SYS_rename, too_long, BAD);
    SHOW(SYS_renameat2, AT_FDCWD, BAD, AT_FDCWD, BAD, 0x1000);
    SHOW(SYS_linkat, CLOSED, "none", AT_FDCWD, BAD, 0x4000);
    SHOW(SYS_linkat, AT_FDCWD, "none/x", AT_FDCWD, BAD, 0);
    SHOW(SYS_symlink, "", BAD);
    SHOW(SYS_symlink, too_long, "none/x");
    SHOW(SYS_readlink, BAD, BAD, -1);
    SHOW(SYS_readlink, "none", BAD, 0);
    SHOW(SYS_access, BAD, 9);
    SHOW(SYS_openat, AT_FDCWD, BAD, O_TMPFILE);
    SHOW(SYS_openat2, AT_FDCWD, BAD, BAD, 24L);
    SHOW(SYS_openat2, AT_FDCWD, BAD, too_long, 24L);
    SHOW(SYS_openat2, AT_FDCWD, "file", BAD, 5000L);
    SHOW(SYS_newfstatat, AT_FDCWD, BAD, BAD, 0x12345678);
    SHOW(SYS_statx, AT_FDCWD, BAD, 0, 0x80000000, BAD);
    SHOW(SYS_utimensat, CLOSED, NULL, NULL, 0x55);
    SHOW(SYS_utimensat, AT_FDCWD, NULL, NULL, 0);
    SHOW(SYS_truncate, BAD, -1L);
    SHOW(SYS_mknod, BAD, 0123456, 0);
    // A directory that no relative path starts from is not looked at.
    SHOW(SYS_newfstatat, CLOSED, "/", &st, 0);
    SHOW(SYS_newfstatat, CLOSED, ".", &st, 0);
    SHOW(SYS_newfstatat, CLOSED, BAD, &st, 0);
}

static void attributes(void) {
    SHOW(SYS_setxattr, "none", BAD, BAD, 1L, 0);
    SHOW(SYS_setxattr, BAD, BAD, BAD, 1L << 20, 9);
    SHOW(SYS_setxattr, "none", too_long, BAD, 1L, 0);
    SHOW(SYS_setxattr, "none", "", BAD, 1L, 0);
    SHOW(SYS_getxattr, "none", too_long, BAD, 1L);
    SHOW(SYS_fremovexattr, CLOSED, BAD);
}

static void buffers(int fd) {
    char byte = 0;
    SHOW(SYS_read, CLOSED, BAD, 1L);
    SHOW(SYS_read, fd, &byte, -1L);
    SHOW(SYS_write, fd, &byte, 1L << 62);
    SHOW(SYS_write, fd, BAD, 0L);
    SHOW(SYS_readv, CLOSED, BAD, 1L);
    SHOW(SYS_readv, CLOSED, BAD, -1L);
    SHOW(SYS_preadv, CLOSED, BAD, 1L, -1L, 0L);
    struct iovec iov[] = {{&byte, 1}, {(void *)0xffff800000000000, 0}};
    SHOW(SYS_writev, fd, iov, 2L);
    iov[0].iov_len = -1UL;
    SHOW(SYS_writev, fd, iov, 2L);
    SHOW(SYS_process_vm_readv, getpid(), BAD, 1L, BAD, 1L, 1L);
    SHOW(SYS_process_vm_readv, getpid(), BAD, 0L, BAD, 1L, 0L);
    SHOW(SYS_close_range, 5, 4, 99);
    SHOW(SYS_getdents64, CLOSED, BAD, 0);
}

int main(void) {
    memset(too_long, 'x', sizeof too_long - 1);
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    paths();
    attributes();
    buffers(fd);
    return CHECK_DONE();
}
