// chmod(2), chown(2) and relatives: mode bits, ids of -1, and who may give a file away.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static unsigned mode_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & 07777 : 0xffffffff;
}

int main(void) {
    bool root = geteuid() == 0;
    umask(077);
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0666));
    CHECK_EQ(mode_of("file"), 0600);
    CHECK_OK(syscall(SYS_chmod, "file", 0751));
    CHECK_EQ(mode_of("file"), 0751);
    CHECK_OK(fchmod(fd, 04711));
    CHECK_EQ(mode_of("file"), 04711);
    CHECK_OK(syscall(SYS_fchmodat, AT_FDCWD, "file", 01644));
    CHECK_EQ(mode_of("file"), 01644);
    CHECK_OK(chmod("file", 0xffff0000 | 0640));
    CHECK_EQ(mode_of("file"), 0640);
    CHECK_OK(symlink("file", "link"));
    CHECK_OK(chmod("link", 0604));
    CHECK_EQ(mode_of("file"), 0604);
    CHECK_OK(mkdir("dir", 0777));
    CHECK_EQ(mode_of("dir"), 0700);
    CHECK_OK(chmod("dir", 01777));
    CHECK_EQ(mode_of("dir"), 01777);

    CHECK_OK(chown("file", -1, -1));
    CHECK_OK(chown("file", geteuid(), getegid()));
    CHECK_OK(fchown(fd, geteuid(), -1));
    CHECK_OK(lchown("link", -1, getegid()));
    CHECK_OK(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));
    CHECK_OK(syscall(SYS_fchownat, AT_FDCWD, "link", -1, -1, AT_SYMLINK_NOFOLLOW));
    struct stat st;
    CHECK_EQ(chown("file", 12345, 54321), root ? 0 : -1);
    CHECK_OK(stat("file", &st));
    CHECK_EQ(st.st_uid, root ? 12345 : geteuid());
    CHECK_EQ(st.st_gid, root ? 54321 : getegid());
    CHECK_OK(chown("file", geteuid(), getegid()));

    // A change of owner takes the set-user-ID bit away.
    CHECK_OK(chmod("file", 04755));
    CHECK_OK(chown("file", geteuid(), getegid()));
    CHECK_EQ(mode_of("file"), 0755);

    CHECK_ERR(chmod("missing", 0600), ENOENT);
    CHECK_ERR(chmod("file/x", 0600), ENOTDIR);
    CHECK_ERR(fchmod(99, 0600), EBADF);
    CHECK_ERR(syscall(SYS_chmod, 8L, 0600), EFAULT);
    CHECK_ERR(chown("missing", -1, -1), ENOENT);
    CHECK_ERR(fchown(99, -1, -1), EBADF);
    CHECK_ERR(fchownat(AT_FDCWD, "file", -1, -1, 0x40000000), EINVAL);
    CHECK_ERR(fchownat(fd, "", -1, -1, 0), ENOENT);
    return CHECK_DONE();
}
