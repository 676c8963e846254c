// name_to_handle_at(2): too small a handle_bytes is answered with the right one; one file, one handle.
#include "check.h"

#include <fcntl.h>
#include <sys/syscall.h>

int main(void) {
    union {
        struct file_handle h;
        char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
    } one = {.h.handle_bytes = 0}, two = {.h.handle_bytes = MAX_HANDLE_SZ};
    int mount;
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(name_to_handle_at(AT_FDCWD, "none", &one.h, &mount, 0), ENOENT);
    CHECK_ERR(name_to_handle_at(AT_FDCWD, "file", &one.h, &mount, 0x40000000), EINVAL);
    if (name_to_handle_at(AT_FDCWD, "file", &one.h, &mount, 0) == -1 && errno == EOPNOTSUPP) {
        NOTE("the file system has no handles");
        CHECK_ERR(name_to_handle_at(99, "", &two.h, &mount, AT_EMPTY_PATH), EBADF);
        return CHECK_DONE();
    }
    CHECK_EQ(errno, EOVERFLOW);
    CHECK_ERR(syscall(SYS_name_to_handle_at, AT_FDCWD, "file", NULL, &mount, 0), EFAULT);
    CHECK(one.h.handle_bytes > 0 && one.h.handle_bytes <= MAX_HANDLE_SZ);
    CHECK_OK(name_to_handle_at(AT_FDCWD, "file", &one.h, &mount, 0));
    CHECK_OK(name_to_handle_at(fd, "", &two.h, &mount, AT_EMPTY_PATH));
    CHECK_EQ(one.h.handle_bytes, two.h.handle_bytes);
    CHECK_EQ(one.h.handle_type, two.h.handle_type);
    CHECK_EQ(memcmp(one.h.f_handle, two.h.f_handle, one.h.handle_bytes), 0);
    return CHECK_DONE();
}
