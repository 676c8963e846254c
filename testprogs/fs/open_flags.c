// open(2): what each flag promises, and the errno of each refusal.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static off_t size_of(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 ? st.st_size : -1;
}

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_EXCL | O_RDWR, 0640));
    CHECK_EQ(write(fd, "hello", 5), 5);
    CHECK_EQ(fcntl(fd, F_GETFD), 0);
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDWR);
    close(fd);
    CHECK_ERR(open("file", O_CREAT | O_EXCL | O_RDWR, 0640), EEXIST);
    CHECK_ERR(syscall(SYS_open, "missing", O_RDONLY), ENOENT);
    CHECK_ERR(open("file/below", O_RDONLY), ENOTDIR);
    CHECK_ERR(open("file/", O_RDONLY), ENOTDIR);

    fd = CHECK_OK(open("file", O_WRONLY | O_APPEND));
    CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
    CHECK_EQ(write(fd, "!", 1), 1);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), 6);
    CHECK_ERR(read(fd, &(char){0}, 1), EBADF);
    close(fd);
    CHECK_EQ(size_of("file"), 6);
    fd = CHECK_OK(open("file", O_WRONLY | O_TRUNC | O_CLOEXEC));
    CHECK_EQ(size_of("file"), 0);
    CHECK_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close(fd);
    fd = CHECK_OK(syscall(SYS_creat, "file", 0600));
    CHECK_EQ(fcntl(fd, F_GETFL) & O_ACCMODE, O_WRONLY);
    close(fd);
    fd = CHECK_OK(open("file", O_RDONLY));
    CHECK_ERR(write(fd, "x", 1), EBADF);
    close(fd);

    CHECK_OK(mkdir("dir", 0755));
    CHECK_ERR(open("file", O_RDONLY | O_DIRECTORY), ENOTDIR);
    CHECK_ERR(open("dir", O_WRONLY), EISDIR);
    CHECK_ERR(open("dir", O_RDONLY | O_CREAT, 0600), EISDIR);
    CHECK_ERR(open("new/", O_RDWR | O_CREAT, 0600), EISDIR);
    fd = CHECK_OK(open("dir", O_RDONLY | O_DIRECTORY));
    CHECK_ERR(read(fd, &(char){0}, 1), EISDIR);
    close(fd);

    CHECK_OK(symlink("file", "link"));
    CHECK_OK(symlink("loop", "loop"));
    CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK_ERR(open("loop", O_RDONLY), ELOOP);
    CHECK_ERR(open("link", O_CREAT | O_EXCL | O_RDWR, 0600), EEXIST);
    CHECK_ERR(open("link", O_RDONLY | O_NOFOLLOW | O_DIRECTORY), ENOTDIR);

    // An O_PATH descriptor names the file, and does no more.
    int path = CHECK_OK(open("link", O_PATH | O_NOFOLLOW));
    struct stat st;
    CHECK_OK(fstat(path, &st));
    CHECK(S_ISLNK(st.st_mode));
    CHECK_ERR(read(path, &st, 1), EBADF);
    CHECK_ERR(fchmod(path, 0600), EBADF);
    CHECK_EQ(fcntl(path, F_GETFL) & O_PATH, O_PATH);
    close(path);

    // Unknown flag bits are ignored by open; access mode 3 gives neither reading nor writing.
    fd = CHECK_OK(syscall(SYS_open, "file", O_RDONLY | 0x40000000));
    CHECK_EQ(fcntl(fd, F_GETFL) & 0x40000000, 0);
    close(fd);
    fd = CHECK_OK(syscall(SYS_open, "file", O_ACCMODE));
    CHECK_ERR(read(fd, &st, 1), EBADF);
    CHECK_ERR(write(fd, "x", 1), EBADF);
    close(fd);
    CHECK_ERR(close(fd), EBADF);

    fd = open(".", O_TMPFILE | O_RDWR, 0600);
    if (fd < 0) {
        NOTE("O_TMPFILE: %s", check_errno_name(errno));
    } else {
        CHECK_EQ(write(fd, "nameless", 8), 8);
        CHECK_OK(fstat(fd, &st));
        CHECK_EQ(st.st_nlink, 0);
        CHECK_EQ(st.st_size, 8);
        close(fd);
    }
    CHECK_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    return CHECK_DONE();
}
