// splice(2), tee(2), vmsplice(2): data moves between a pipe and a file, a pipe or memory.
#include "check.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>

int main(void) {
    char text[32];
    int a[2], b[2];
    CHECK_OK(pipe2(a, O_NONBLOCK));
    CHECK_OK(pipe2(b, O_NONBLOCK));
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(file, "0123456789", 10), 10);

    loff_t offset = 3;
    CHECK_EQ(splice(file, &offset, a[1], NULL, 4, 0), 4);
    CHECK_EQ(offset, 7);
    CHECK_EQ(lseek(file, 0, SEEK_CUR), 10);
    CHECK_EQ(tee(a[0], b[1], 100, 0), 4);
    CHECK_EQ(splice(a[0], NULL, file, NULL, 100, SPLICE_F_MOVE), 4);
    CHECK_EQ(pread(file, text, sizeof text, 0), 14);
    CHECK_EQ(memcmp(text, "01234567893456", 14), 0);
    CHECK_EQ(splice(b[0], NULL, a[1], NULL, 2, SPLICE_F_NONBLOCK), 2);
    CHECK_EQ(read(b[0], text, sizeof text), 2);
    CHECK_EQ(memcmp(text, "56", 2), 0);
    CHECK_EQ(read(a[0], text, sizeof text), 2);
    CHECK_EQ(memcmp(text, "34", 2), 0);
    CHECK_EQ(lseek(file, 0, SEEK_END), 14);
    CHECK_EQ(splice(file, NULL, a[1], NULL, 100, 0), 0);

    struct iovec out[] = {{"vm", 2}, {"splice", 6}};
    CHECK_EQ(vmsplice(a[1], out, 2, 0), 8);
    struct iovec in[] = {{text, 3}, {text + 16, 16}};
    CHECK_EQ(vmsplice(a[0], in, 2, 0), 8);
    CHECK(memcmp(text, "vms", 3) == 0 && memcmp(text + 16, "plice", 5) == 0);

    CHECK_ERR(splice(a[0], NULL, b[1], NULL, 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(file, NULL, file, NULL, 1, 0), EINVAL);
    CHECK_ERR(splice(a[0], &offset, file, NULL, 1, 0), ESPIPE);
    CHECK_ERR(splice(a[0], NULL, a[1], NULL, 1, 0), EINVAL);
    CHECK_ERR(splice(a[0], NULL, file, NULL, 1, 1u << 31), EINVAL);
    CHECK_EQ(splice(a[0], NULL, file, NULL, 0, 0), 0);
    CHECK_ERR(splice(99, NULL, a[1], NULL, 1, 0), EBADF);
    CHECK_ERR(syscall(SYS_splice, file, 8L, a[1], NULL, 1L, 0), EFAULT);
    CHECK_ERR(tee(a[0], file, 1, 0), EINVAL);
    CHECK_ERR(tee(a[0], b[1], 1, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(vmsplice(file, out, 1, 0), EBADF);
    struct iovec bad = {(void *)8, 4};
    CHECK_ERR(vmsplice(a[1], &bad, 1, SPLICE_F_NONBLOCK), EFAULT);
    CHECK_ERR(vmsplice(a[1], out, 1025, 0), EINVAL);
    return CHECK_DONE();
}
