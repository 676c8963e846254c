// umask(2), chdir(2), fchdir(2), getcwd(2): per-process file system state and its limits.
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    umask(0);
    CHECK_EQ(umask(0137), 0);
    CHECK_EQ(umask(07777), 0137);
    CHECK_EQ(umask(022), 0777);

    static char start[PATH_MAX * 2], path[PATH_MAX * 2];
    long length = CHECK_OK(syscall(SYS_getcwd, start, sizeof start));
    CHECK_EQ(length, strlen(start) + 1);
    CHECK_EQ(start[0], '/');
    CHECK_ERR(syscall(SYS_getcwd, path, length - 1), ERANGE);
    CHECK_EQ(syscall(SYS_getcwd, path, length), length);
    CHECK_ERR(syscall(SYS_getcwd, path, 0L), ERANGE);
    CHECK_ERR(syscall(SYS_getcwd, NULL, 4096L), EFAULT);

    int top = CHECK_OK(open(".", O_RDONLY | O_DIRECTORY));
    CHECK_OK(mkdir("sub", 0700));
    CHECK_OK(symlink("sub", "link"));
    CHECK_OK(chdir("link"));
    CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
    CHECK_EQ(strncmp(path, start, strlen(start)), 0);
    CHECK_EQ(strcmp(strrchr(path, '/'), "/sub"), 0);
    CHECK_OK(rename("../sub", "../other"));
    CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
    CHECK_EQ(strcmp(strrchr(path, '/'), "/other"), 0);
    CHECK_OK(fchdir(top));
    CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
    CHECK_EQ(strcmp(path, start), 0);
    close(CHECK_OK(open("file", O_CREAT | O_RDWR, 0600)));

    // Deeper than PATH_MAX: one can be there, but not be told where.
    char name[201];
    memset(name, 'd', sizeof name);
    name[200] = 0;
    int depth = 0;
    while (depth < 24 && mkdir(name, 0700) == 0 && chdir(name) == 0)
        depth++;
    CHECK_EQ(depth, 24);
    CHECK_ERR(syscall(SYS_getcwd, path, sizeof path), ENAMETOOLONG);
    for (; depth > 0; depth--)
        if (chdir("..") != 0 || rmdir(name) != 0)
            break;
    CHECK_EQ(depth, 0);
    CHECK_OK(syscall(SYS_getcwd, path, sizeof path));
    CHECK_EQ(strcmp(path, start), 0);

    CHECK_ERR(chdir("file"), ENOTDIR);
    CHECK_ERR(chdir("none"), ENOENT);
    CHECK_ERR(chdir(""), ENOENT);
    CHECK_ERR(fchdir(99), EBADF);
    int file = CHECK_OK(open("file", O_RDONLY));
    CHECK_ERR(fchdir(file), ENOTDIR);
    CHECK_ERR(syscall(SYS_chdir, 8L), EFAULT);
    CHECK_ERR(chroot("none"), ENOENT);
    CHECK_ERR(chroot("file"), ENOTDIR);
    return CHECK_DONE();
}
