// /proc/self/fd, fdinfo and task list what this program has, and no more.
#include "self.h"

#include <dirent.h>
#include <sys/syscall.h>

static int count(const char *path, int limit) {
    DIR *dir = opendir(path);
    int n = 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        n += entry->d_name[0] != '.' && atoi(entry->d_name) >= limit;
    closedir(dir);
    return n;
}

static bool has(const char *path, const char *name) {
    DIR *dir = opendir(path);
    bool found = false;
    for (struct dirent *entry; (entry = readdir(dir));)
        found |= strcmp(entry->d_name, name) == 0;
    closedir(dir);
    return found;
}

int main(void) {
    // What the parent left open is not the question.
    syscall(SYS_close_range, 3, ~0U, 0);
    CHECK_EQ(count("/proc/self/fd", 0), 4);
    CHECK_EQ(count("/proc/self/fdinfo", 0), 4);
    CHECK_EQ(count("/proc/thread-self/fd", 3), 1);
    CHECK_EQ(count("/dev/fd", 3), access("/dev/fd", F_OK) == 0);
    int null = open("/dev/null", O_RDONLY);
    CHECK_EQ(dup2(null, 100), 100);
    CHECK_EQ(count("/proc/self/fd", 100), 1);
    CHECK(has("/proc/self/fd", "100") && has("/proc/self/fdinfo", "100") && !has("/proc/self/fd", "101"));
    char old[4096];
    int dir = open("/proc/self/fd", O_RDONLY | O_DIRECTORY);
    long len = syscall(SYS_getdents, dir, old, sizeof old), entries = 0;
    for (long at = 0; at < len; at += *(unsigned short *)(old + at + 16))
        entries++;
    CHECK_EQ(entries, 2 + 6);
    CHECK_EQ(syscall(SYS_getdents, dir, old, sizeof old), 0);
    CHECK_EQ(count("/proc/self/task", 0), 1);
    char path[64], target[64] = "";
    // Whatever is open above: it is nobody's.
    int found = 0;
    for (int fd = 101; fd < 66000; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        found += readlink(path, target, sizeof target) != -1 || errno != ENOENT;
    }
    CHECK_EQ(found, 0);
    CHECK_OK(chdir("/proc/self/fd"));
    for (int fd = 16000; fd < 20100; fd++) {
        struct stat st;
        snprintf(path, sizeof path, "%d", fd);
        found += openat(AT_FDCWD, path, O_PATH) != -1 || openat(dir, path, O_RDONLY) != -1;
        found += fstatat(dir, path, &st, AT_SYMLINK_NOFOLLOW) != -1 || access(path, F_OK) != -1;
    }
    CHECK_EQ(found, 0);
    CHECK_EQ(readlinkat(dir, "100", target, sizeof target), strlen("/dev/null"));
    int again = openat(dir, "100", O_RDONLY);
    CHECK_EQ(read(again, target, 1), 0);
    return CHECK_DONE();
}
