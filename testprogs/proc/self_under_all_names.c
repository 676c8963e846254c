// /proc/self/exe is this program under all names of it; comm, cmdline, environ and others belong to it, too.
#include "self.h"

#include <sys/prctl.h>

static bool is_exe(int fd, const struct stat *exe) {
    struct stat st;
    bool same = fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == exe->st_dev && st.st_ino == exe->st_ino;
    close(fd);
    return same;
}

int main(int argc, char **argv) {
    (void)argc;
    struct stat exe, st;
    CHECK_OK(stat("/proc/self/exe", &exe));
    char target[512] = "", other[512] = "", path[64];
    CHECK(readlink("/proc/self/exe", target, sizeof target - 1) > 0);
    CHECK_OK(stat(target, &st));
    CHECK(st.st_dev == exe.st_dev && st.st_ino == exe.st_ino);
    int self = open("/proc/self", O_PATH), proc = open("/proc", O_RDONLY);
    CHECK(is_exe(openat(self, "exe", O_RDONLY), &exe));
    CHECK(is_exe(openat(proc, "self/exe", O_RDONLY), &exe));
    CHECK(is_exe(open("/proc/thread-self/exe", O_RDONLY), &exe));
    snprintf(path, sizeof path, "/proc/%d/task/%d/exe", getpid(), getpid());
    CHECK(is_exe(open(path, O_RDONLY), &exe));
    CHECK(readlinkat(self, "exe", other, sizeof other - 1) > 0 && strcmp(target, other) == 0);
    CHECK_OK(fstatat(self, "exe", &st, 0));
    CHECK(st.st_ino == exe.st_ino);
    CHECK_OK(chdir("/proc/self"));
    CHECK(is_exe(open("exe", O_RDONLY), &exe));
    memset(other, 0, sizeof other);
    CHECK(readlink("exe", other, sizeof other - 1) > 0 && strcmp(target, other) == 0);

    int comm = open("/proc/self/comm", O_RDWR);
    char name[32] = "";
    CHECK_EQ(read(comm, name, sizeof name), (long)strlen(strrchr(target, '/') + 1) > 15 ? 16 : strlen(name));
    CHECK(strncmp(name, strrchr(target, '/') + 1, 15) == 0);
    CHECK_EQ(write(comm, "another", 7), 7);
    memset(name, 0, sizeof name);
    CHECK_OK(prctl(PR_GET_NAME, name));
    CHECK_STR(name, "another");
    CHECK_OK(prctl(PR_SET_NAME, "third"));
    CHECK(pread(comm, name, sizeof name, 0) == 6 && strncmp(name, "third\n", 6) == 0);
    char *text = read_whole("/proc/self/stat");
    CHECK(strstr(text, " (third) ") != NULL);
    text = read_whole("/proc/self/cmdline");
    CHECK_STR(text, argv[0]);
    text = read_whole("/proc/self/oom_score_adj");
    CHECK(text && (text[0] == '-' || (text[0] >= '0' && text[0] <= '9')));
    text = read_whole("/proc/self/auxv");
    CHECK(text && *(uint64_t *)text != 0);
    CHECK(access("/proc/self/cgroup", R_OK) == 0 || errno == ENOENT);
    CHECK_EQ(number_in("/proc/self/status", "Seccomp"), prctl(PR_GET_SECCOMP));
    CHECK_EQ(number_in("/proc/self/status", "NoNewPrivs"), 0);
    CHECK_OK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    CHECK_EQ(number_in("/proc/self/status", "NoNewPrivs"), 1);
    return CHECK_DONE();
}
