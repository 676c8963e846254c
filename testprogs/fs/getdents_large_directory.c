// getdents64(2), readdir(3), seekdir(3): 500 names each once, a buffer too small, a removed directory.
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { NAMES = 500 };

static int count(DIR *dir) {
    static bool seen[NAMES];
    int unique = 0;
    memset(seen, 0, sizeof seen);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        int number;
        if (sscanf(entry->d_name, "name-%d", &number) != 1)
            continue;
        unique += seen[number] ? -NAMES : 1;
        seen[number] = true;
    }
    return unique;
}

int main(void) {
    CHECK_OK(mkdir("d", 0755));
    int fd = CHECK_OK(open("d", O_RDONLY | O_DIRECTORY));
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        snprintf(name, sizeof name, "name-%d", i);
        close(openat(fd, name, O_CREAT | O_WRONLY, 0600));
    }
    DIR *dir = opendir("d");
    CHECK(dir != NULL);
    CHECK_EQ(count(dir), NAMES);
    CHECK(readdir(dir) == NULL);
    rewinddir(dir);
    CHECK_EQ(count(dir), NAMES);

    // seekdir goes back to where telldir was.
    rewinddir(dir);
    for (int i = 0; i < 250; i++)
        readdir(dir);
    long position = telldir(dir);
    char first[256], second[256];
    snprintf(first, sizeof first, "%s", readdir(dir)->d_name);
    for (int i = 0; i < 100; i++)
        readdir(dir);
    seekdir(dir, position);
    snprintf(second, sizeof second, "%s", readdir(dir)->d_name);
    CHECK_EQ(strcmp(first, second), 0);
    closedir(dir);

    // With a small buffer it takes many calls, and still gives each name once, "." and ".." too.
    char buffer[256] __attribute__((aligned(8)));
    int total = 0, dots = 0, regular = 0;
    long got;
    while ((got = syscall(SYS_getdents64, fd, buffer, sizeof buffer)) > 0) {
        for (long at = 0; at < got;) {
            struct dirent64 *entry = (struct dirent64 *)(buffer + at);
            total++;
            dots += entry->d_name[0] == '.';
            regular += entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN;
            at += entry->d_reclen;
        }
    }
    CHECK_EQ(got, 0);
    CHECK_EQ(total, NAMES + 2);
    CHECK_EQ(dots, 2);
    CHECK(regular >= NAMES);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_ERR(syscall(SYS_getdents64, fd, buffer, 8), EINVAL);
    CHECK_ERR(syscall(SYS_getdents64, fd, NULL, 4096L), EFAULT);
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK(syscall(SYS_getdents, fd, buffer, sizeof buffer) > 0);
    CHECK_ERR(syscall(SYS_getdents64, 99, buffer, sizeof buffer), EBADF);
    int file = CHECK_OK(openat(fd, "name-0", O_RDONLY));
    CHECK_ERR(syscall(SYS_getdents64, file, buffer, sizeof buffer), ENOTDIR);
    close(file);

    CHECK_OK(mkdir("gone", 0755));
    int gone = CHECK_OK(open("gone", O_RDONLY | O_DIRECTORY));
    CHECK_OK(rmdir("gone"));
    CHECK_ERR(syscall(SYS_getdents64, gone, buffer, sizeof buffer), ENOENT);
    return CHECK_DONE();
}
