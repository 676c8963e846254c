// path_resolution(7): NAME_MAX, PATH_MAX, empty paths, 40 symbolic links, slashes.
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    struct stat st;
    static char name[NAME_MAX + 2], path[PATH_MAX + 1];
    memset(name, 'n', NAME_MAX + 1);
    CHECK_ERR(open(name, O_CREAT | O_RDWR, 0600), ENAMETOOLONG);
    CHECK_ERR(stat(name, &st), ENAMETOOLONG);
    name[NAME_MAX] = 0;
    close(CHECK_OK(open(name, O_CREAT | O_RDWR, 0600)));

    memset(path, '/', sizeof path - 1);
    CHECK_ERR(stat(path, &st), ENAMETOOLONG);
    CHECK_ERR(open(path, O_RDONLY), ENAMETOOLONG);
    CHECK_ERR(mkdir(path, 0700), ENAMETOOLONG);
    path[PATH_MAX - 1] = 0;
    CHECK_OK(stat(path, &st));
    for (int i = 0; i < PATH_MAX - 1; i += 2)
        memcpy(path + i, "./", 2);
    path[PATH_MAX - 1] = 0;
    CHECK_OK(stat(path, &st));

    // Name resolution must not look past the terminating zero.
    char *pages = CHECK_OK((char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(munmap(pages + 4096, 4096));
    strcpy(pages + 4096 - 2, ".");
    CHECK_OK(syscall(SYS_stat, pages + 4096 - 2, &st));
    memset(pages + 4096 - 2, '.', 2);
    CHECK_ERR(syscall(SYS_stat, pages + 4096 - 2, &st), EFAULT);
    CHECK_ERR(syscall(SYS_open, pages + 4096, O_RDONLY), EFAULT);

    close(CHECK_OK(open("link0", O_CREAT | O_RDWR, 0600)));
    char from[16], to[16];
    for (int i = 1; i <= 41; i++) {
        snprintf(from, sizeof from, "link%d", i - 1);
        snprintf(to, sizeof to, "link%d", i);
        if (symlink(from, to) != 0)
            break;
    }
    // Links that are followed again after a lockless walk has failed count again, so that 40 are
    // not always granted: three walks of 13 are.
    CHECK_OK(stat("link13", &st));
    CHECK_ERR(stat("link41", &st), ELOOP);
    CHECK_OK(lstat("link41", &st));

    CHECK_OK(mkdir("dir", 0700));
    CHECK_OK(stat("dir///.//../dir/", &st));
    CHECK_ERR(stat("none/..", &st), ENOENT);
    CHECK_ERR(stat("link0/..", &st), ENOTDIR);
    CHECK_ERR(stat("", &st), ENOENT);
    CHECK_ERR(unlink(""), ENOENT);
    CHECK_ERR(rename("", "x"), ENOENT);
    return CHECK_DONE();
}
