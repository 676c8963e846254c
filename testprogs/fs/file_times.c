// utimensat(2), utime(2), utimes(2): nanoseconds, UTIME_NOW, UTIME_OMIT, and the refusals.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <utime.h>

static struct stat times_of(const char *path) {
    struct stat st = {0};
    lstat(path, &st);
    return st;
}

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    struct timespec set[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
    CHECK_OK(utimensat(AT_FDCWD, "file", set, 0));
    struct stat st = times_of("file");
    CHECK_EQ(st.st_atim.tv_sec, 1000000000);
    CHECK_EQ(st.st_atim.tv_nsec, 123456789);
    CHECK_EQ(st.st_mtim.tv_sec, 1100000000);
    CHECK_EQ(st.st_mtim.tv_nsec, 987654321);
    CHECK(st.st_ctim.tv_sec > 1100000000);

    struct timespec omit[2] = {{0, UTIME_OMIT}, {5, 6}};
    CHECK_OK(futimens(fd, omit));
    st = times_of("file");
    CHECK_EQ(st.st_atim.tv_nsec, 123456789);
    CHECK(st.st_mtim.tv_sec == 5 && st.st_mtim.tv_nsec == 6);
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
    CHECK_OK(futimens(fd, now));
    st = times_of("file");
    CHECK(st.st_atim.tv_sec > 1100000000);
    CHECK_EQ(st.st_mtim.tv_sec, 5);
    CHECK_OK(utimensat(AT_FDCWD, "file", NULL, 0));
    CHECK(times_of("file").st_mtim.tv_sec > 1100000000);

    struct utimbuf seconds = {7, 8};
    CHECK_OK(syscall(SYS_utime, "file", &seconds));
    st = times_of("file");
    CHECK(st.st_atim.tv_sec == 7 && st.st_mtim.tv_sec == 8 && st.st_mtim.tv_nsec == 0);
    struct timeval micro[2] = {{9, 10}, {11, 999999}};
    CHECK_OK(syscall(SYS_utimes, "file", micro));
    st = times_of("file");
    CHECK(st.st_atim.tv_nsec == 10000 && st.st_mtim.tv_nsec == 999999000);
    CHECK_OK(syscall(SYS_futimesat, AT_FDCWD, "file", NULL));
    CHECK_OK(syscall(SYS_utime, "file", NULL));

    CHECK_OK(symlink("file", "link"));
    CHECK_OK(utimensat(AT_FDCWD, "link", set, AT_SYMLINK_NOFOLLOW));
    CHECK_EQ(times_of("link").st_mtim.tv_sec, 1100000000);
    CHECK(times_of("file").st_mtim.tv_sec > 1100000000);

    struct timespec both_omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
    CHECK_OK(utimensat(AT_FDCWD, "missing", both_omit, 0));
    struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
    CHECK_ERR(utimensat(AT_FDCWD, "file", bad, 0), EINVAL);
    struct timeval bad_micro[2] = {{0, 1000000}, {0, 0}};
    CHECK_ERR(syscall(SYS_utimes, "file", bad_micro), EINVAL);
    CHECK_ERR(utimensat(AT_FDCWD, "missing", set, 0), ENOENT);
    CHECK_ERR(utimensat(AT_FDCWD, "file", set, 0x40000000), EINVAL);
    CHECK_ERR(syscall(SYS_utimensat, fd, NULL, set, AT_SYMLINK_NOFOLLOW), EINVAL);
    CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, NULL, set, 0), EFAULT);
    CHECK_ERR(futimens(99, set), EBADF);
    CHECK_ERR(syscall(SYS_utimensat, AT_FDCWD, "file", 8L, 0), EFAULT);
    CHECK_ERR(syscall(SYS_utime, "file", 8L), EFAULT);
    return CHECK_DONE();
}
