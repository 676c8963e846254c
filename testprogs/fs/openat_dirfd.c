// openat(2) and the *at family: relative to a directory descriptor, whatever the working directory is.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>

int main(void) {
    CHECK_OK(mkdir("a", 0755));
    CHECK_OK(mkdir("a/b", 0755));
    int dir = CHECK_OK(open("a", O_RDONLY | O_DIRECTORY));
    int fd = CHECK_OK(openat(dir, "f", O_CREAT | O_RDWR, 0644));
    CHECK_EQ(write(fd, "text", 4), 4);
    CHECK_OK(access("a/f", F_OK));
    CHECK_OK(chdir("a/b"));
    CHECK_ERR(access("f", F_OK), ENOENT);
    CHECK_OK(faccessat(dir, "f", R_OK, 0));
    CHECK_OK(faccessat(AT_FDCWD, "../f", R_OK, 0));

    struct stat by_fd, by_name;
    CHECK_OK(fstat(fd, &by_fd));
    CHECK_OK(fstatat(dir, "f", &by_name, 0));
    CHECK_EQ(by_fd.st_ino, by_name.st_ino);
    CHECK_OK(fstatat(dir, "b/../b/../f", &by_name, 0));
    CHECK_EQ(by_fd.st_ino, by_name.st_ino);

    CHECK_OK(mkdirat(dir, "new", 0755));
    CHECK_OK(renameat(dir, "f", dir, "new/g"));
    CHECK_OK(linkat(dir, "new/g", AT_FDCWD, "h", 0));
    CHECK_OK(symlinkat("h", AT_FDCWD, "s"));
    char target[8] = "";
    CHECK_EQ(readlinkat(AT_FDCWD, "s", target, sizeof target), 1);
    CHECK_EQ(target[0], 'h');
    CHECK_OK(fstat(fd, &by_fd));
    CHECK_EQ(by_fd.st_nlink, 2);
    CHECK_OK(fchmodat(dir, "new/g", 0600, 0));
    CHECK_OK(unlinkat(dir, "new/g", 0));
    CHECK_OK(unlinkat(dir, "new", AT_REMOVEDIR));

    CHECK_ERR(openat(-1, "f", O_RDONLY), EBADF);
    CHECK_ERR(openat(fd, "f", O_RDONLY), ENOTDIR);
    CHECK_ERR(openat(dir, "f", O_RDONLY), ENOENT);
    CHECK_ERR(openat(dir, "", O_RDONLY), ENOENT);
    CHECK_ERR(unlinkat(dir, "b", 0), EISDIR);
    CHECK_ERR(unlinkat(dir, "b", 1), EINVAL);
    CHECK_ERR(unlinkat(dir, "b", AT_REMOVEDIR), ENOTEMPTY);
    CHECK_ERR(mkdirat(fd, "x", 0755), ENOTDIR);
    CHECK_ERR(fstatat(dir, "b", &by_name, 0x40000000), EINVAL);

    // An absolute path does not look at the descriptor at all.
    int root = CHECK_OK(openat(-1, "/", O_RDONLY | O_DIRECTORY));
    CHECK_OK(fstatat(-1, "/", &by_name, 0));
    CHECK_OK(fstat(root, &by_fd));
    CHECK_EQ(by_fd.st_ino, by_name.st_ino);
    CHECK_OK(fstatat(root, "..", &by_name, 0));
    CHECK_EQ(by_fd.st_ino, by_name.st_ino);
    return CHECK_DONE();
}
