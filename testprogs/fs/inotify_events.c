// inotify(7): events of one thread's own actions arrive in order, with names and cookies.
#include "check.h"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static char buffer[4096] __attribute__((aligned(8)));
static long filled, next;

static struct inotify_event *event(int fd) {
    static struct inotify_event none;
    if (next >= filled) {
        next = 0;
        filled = read(fd, buffer, sizeof buffer);
        if (filled <= 0)
            return &none;
    }
    struct inotify_event *e = (struct inotify_event *)(buffer + next);
    next += sizeof *e + e->len;
    return e;
}

int main(void) {
    int fd = CHECK_OK(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    CHECK_OK(mkdir("d", 0755));
    int watch = CHECK_OK(inotify_add_watch(fd, "d", IN_ALL_EVENTS & ~(IN_ACCESS | IN_OPEN)));
    CHECK_EQ(watch, 1);
    CHECK_ERR(read(fd, buffer, sizeof buffer), EAGAIN);

    int file = CHECK_OK(open("d/a", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(file, "x", 1), 1);
    close(file);
    CHECK_OK(rename("d/a", "d/b"));
    CHECK_OK(mkdir("d/sub", 0755));
    CHECK_OK(unlink("d/b"));
    int pending = 0;
    CHECK_OK(ioctl(fd, FIONREAD, &pending));
    CHECK_EQ(pending, 7 * (sizeof(struct inotify_event) + 16));
    CHECK_ERR(read(fd, buffer, 8), EINVAL);

    struct inotify_event *e = event(fd);
    CHECK(e->mask == IN_CREATE && e->wd == watch && strcmp(e->name, "a") == 0);
    CHECK_EQ(e->len, 16);
    CHECK_EQ(event(fd)->mask, IN_MODIFY);
    CHECK_EQ(event(fd)->mask, IN_CLOSE_WRITE);
    e = event(fd);
    uint32_t cookie = e->cookie;
    CHECK(e->mask == IN_MOVED_FROM && cookie != 0);
    e = event(fd);
    CHECK(e->mask == IN_MOVED_TO && strcmp(e->name, "b") == 0);
    CHECK_EQ(e->cookie, cookie);
    CHECK_EQ(event(fd)->mask, IN_CREATE | IN_ISDIR);
    CHECK_EQ(event(fd)->mask, IN_DELETE);

    CHECK_EQ(inotify_add_watch(fd, "d", IN_DELETE_SELF), watch);
    CHECK_OK(rmdir("d/sub"));
    CHECK_ERR(read(fd, buffer, sizeof buffer), EAGAIN);
    CHECK_OK(rmdir("d"));
    CHECK_EQ(event(fd)->mask, IN_DELETE_SELF);
    CHECK_EQ(event(fd)->mask, IN_IGNORED);
    CHECK_ERR(inotify_rm_watch(fd, watch), EINVAL);

    CHECK_ERR(inotify_add_watch(fd, "none", IN_MODIFY), ENOENT);
    CHECK_ERR(inotify_add_watch(fd, ".", 0), EINVAL);
    CHECK_ERR(inotify_add_watch(99, ".", IN_MODIFY), EBADF);
    int other = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(inotify_add_watch(other, ".", IN_MODIFY), EINVAL);
    CHECK_ERR(inotify_add_watch(fd, "file", IN_MODIFY | IN_ONLYDIR), ENOTDIR);
    CHECK_ERR(inotify_init1(1), EINVAL);
    CHECK_ERR(syscall(SYS_inotify_add_watch, fd, 8L, IN_MODIFY), EFAULT);
    close(CHECK_OK((int)syscall(SYS_inotify_init)));
    return CHECK_DONE();
}
