// mknod(2), fifo(7), null(4), zero(4): a named pipe in one process, and devices that always answer alike.
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

int main(void) {
    struct stat st;
    char text[16];
    umask(0);
    signal(SIGPIPE, SIG_IGN);
    CHECK_OK(syscall(SYS_mknod, "fifo", S_IFIFO | 0620, 0));
    CHECK_OK(stat("fifo", &st));
    CHECK_EQ(st.st_mode, S_IFIFO | 0620);
    CHECK_ERR(open("fifo", O_WRONLY | O_NONBLOCK), ENXIO);
    int reader = CHECK_OK(open("fifo", O_RDONLY | O_NONBLOCK));
    CHECK_EQ(read(reader, text, sizeof text), 0);
    int writer = CHECK_OK(open("fifo", O_WRONLY));
    CHECK_ERR(read(reader, text, sizeof text), EAGAIN);
    CHECK_EQ(write(writer, "through", 7), 7);
    CHECK_EQ(read(reader, text, sizeof text), 7);
    CHECK_ERR(lseek(reader, 0, SEEK_SET), ESPIPE);
    close(reader);
    CHECK_ERR(write(writer, "x", 1), EPIPE);
    close(writer);
    int both = CHECK_OK(open("fifo", O_RDWR));
    CHECK_EQ(write(both, "self", 4), 4);
    CHECK_EQ(read(both, text, sizeof text), 4);
    CHECK_ERR(mknod("fifo", S_IFIFO | 0600, 0), EEXIST);

    CHECK_OK(mknod("plain", 0600, 0));
    CHECK_OK(mknodat(AT_FDCWD, "socket", S_IFSOCK | 0600, 0));
    CHECK_OK(stat("socket", &st));
    CHECK(S_ISSOCK(st.st_mode));
    CHECK_ERR(open("socket", O_RDWR), ENXIO);
    CHECK_ERR(mknod("dir", S_IFDIR | 0700, 0), EPERM);
    CHECK_ERR(mknod("odd", 0170000, 0), EINVAL);
    CHECK_ERR(mknod("none/x", S_IFIFO, 0), ENOENT);
    CHECK_ERR(mknod("plain/x", S_IFIFO, 0), ENOTDIR);
    CHECK_ERR(syscall(SYS_mknod, 8L, S_IFIFO, 0), EFAULT);

    int null = CHECK_OK(open("/dev/null", O_RDWR));
    CHECK_EQ(write(null, text, sizeof text), sizeof text);
    CHECK_EQ(read(null, text, sizeof text), 0);
    int zero = CHECK_OK(open("/dev/zero", O_RDWR));
    memset(text, 1, sizeof text);
    CHECK_EQ(read(zero, text, sizeof text), sizeof text);
    CHECK(text[0] == 0 && text[15] == 0);
    int full = CHECK_OK(open("/dev/full", O_RDWR));
    CHECK_ERR(write(full, text, 1), ENOSPC);
    int random = CHECK_OK(open("/dev/urandom", O_RDONLY));
    CHECK_EQ(read(random, text, sizeof text), sizeof text);
    return CHECK_DONE();
}
