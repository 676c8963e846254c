// rename(2), renameat2(2): atomic replacement, NOREPLACE, EXCHANGE, and what may not be renamed.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static ino_t inode(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0 ? st.st_ino : 0;
}

static void make(const char *path) {
    close(CHECK_OK(open(path, O_CREAT | O_RDWR, 0600)));
}

int main(void) {
    make("a");
    make("b");
    CHECK_OK(mkdir("dir", 0755));
    CHECK_OK(mkdir("dir/sub", 0755));
    CHECK_OK(mkdir("empty", 0755));
    ino_t a = inode("a"), dir = inode("dir");
    CHECK_OK(syscall(SYS_rename, "a", "b"));
    CHECK_EQ(inode("b"), a);
    CHECK_EQ(inode("a"), 0);
    CHECK_OK(rename("b", "b"));
    CHECK_OK(link("b", "twin"));
    CHECK_OK(rename("b", "twin"));
    CHECK_EQ(inode("b"), a);
    CHECK_OK(rename("b", "dir/sub/moved"));
    CHECK_EQ(inode("dir/sub/moved"), a);
    CHECK_OK(rename("dir", "empty"));
    CHECK_EQ(inode("empty"), dir);
    CHECK_EQ(inode("empty/sub/moved"), a);

    make("x");
    make("y");
    ino_t x = inode("x"), y = inode("y");
    CHECK_ERR(renameat2(AT_FDCWD, "x", AT_FDCWD, "y", RENAME_NOREPLACE), EEXIST);
    CHECK_OK(renameat2(AT_FDCWD, "x", AT_FDCWD, "z", RENAME_NOREPLACE));
    CHECK_EQ(inode("z"), x);
    CHECK_OK(renameat2(AT_FDCWD, "z", AT_FDCWD, "y", RENAME_EXCHANGE));
    CHECK(inode("y") == x && inode("z") == y);
    CHECK_ERR(renameat2(AT_FDCWD, "z", AT_FDCWD, "none", RENAME_EXCHANGE), ENOENT);
    CHECK_ERR(renameat2(AT_FDCWD, "z", AT_FDCWD, "y", RENAME_EXCHANGE | RENAME_NOREPLACE), EINVAL);
    CHECK_ERR(renameat2(AT_FDCWD, "z", AT_FDCWD, "y", 1 << 20), EINVAL);

    CHECK_ERR(rename("none", "y"), ENOENT);
    CHECK_ERR(rename("y", "none/y"), ENOENT);
    CHECK_ERR(rename("y", "empty"), EISDIR);
    CHECK_ERR(rename("empty", "y"), ENOTDIR);
    CHECK_ERR(rename("y", "z/below"), ENOTDIR);
    CHECK_ERR(rename("empty", "empty/sub/inside"), EINVAL);
    CHECK_OK(mkdir("other", 0755));
    CHECK_ERR(rename("other", "empty"), ENOTEMPTY);
    CHECK_ERR(rename("other/.", "new"), EBUSY);
    CHECK_ERR(rename("y", ""), ENOENT);
    CHECK_ERR(renameat(AT_FDCWD, "y", 99, "w"), EBADF);
    CHECK_ERR(rename("y", "/proc/y"), EXDEV);
    CHECK_ERR(syscall(SYS_rename, "y", 8L), EFAULT);
    return CHECK_DONE();
}
