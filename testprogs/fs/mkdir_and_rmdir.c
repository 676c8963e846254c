// mkdir(2), rmdir(2): umask, sticky bit, and each way in which a directory cannot go.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    struct stat st;
    umask(027);
    CHECK_OK(syscall(SYS_mkdir, "dir", 01777));
    CHECK_OK(stat("dir", &st));
    CHECK_EQ(st.st_mode, S_IFDIR | 01750);
    CHECK_OK(mkdir("dir/sub/", 0700));
    CHECK_OK(stat("dir/sub/../.", &st));
    close(CHECK_OK(open("dir/sub/file", O_CREAT | O_RDWR, 0600)));

    CHECK_ERR(mkdir("dir", 0700), EEXIST);
    CHECK_ERR(mkdir("dir/sub/file", 0700), EEXIST);
    CHECK_ERR(mkdir("dir/sub/file/x", 0700), ENOTDIR);
    CHECK_ERR(mkdir("none/x", 0700), ENOENT);
    CHECK_ERR(mkdir("", 0700), ENOENT);
    CHECK_ERR(mkdir("/", 0700), EEXIST);
    CHECK_ERR(mkdir(".", 0700), EEXIST);
    CHECK_ERR(syscall(SYS_mkdir, 8L, 0700), EFAULT);

    CHECK_ERR(rmdir("dir"), ENOTEMPTY);
    CHECK_ERR(rmdir("dir/sub/."), EINVAL);
    CHECK_ERR(rmdir("dir/sub/.."), ENOTEMPTY);
    CHECK_ERR(rmdir("dir/sub/file"), ENOTDIR);
    CHECK_ERR(rmdir("none"), ENOENT);
    CHECK_ERR(rmdir("/"), EBUSY);
    CHECK_OK(unlink("dir/sub/file"));
    CHECK_OK(syscall(SYS_rmdir, "dir/sub"));
    CHECK_ERR(stat("dir/sub", &st), ENOENT);
    CHECK_OK(symlink("dir", "link"));
    CHECK_ERR(rmdir("link"), ENOTDIR);
    CHECK_ERR(mkdir("link", 0700), EEXIST);

    // A working directory that is gone can still be asked, not filled.
    CHECK_OK(chdir("dir"));
    CHECK_OK(rmdir("../dir"));
    CHECK_OK(stat(".", &st));
    CHECK_EQ(st.st_nlink, 0);
    CHECK_ERR(mkdir("x", 0700), ENOENT);
    CHECK_ERR(open("x", O_CREAT | O_RDWR, 0600), ENOENT);
    char path[256];
    CHECK_ERR(syscall(SYS_getcwd, path, sizeof path), ENOENT);
    return CHECK_DONE();
}
