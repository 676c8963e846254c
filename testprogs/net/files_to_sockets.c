// sendfile(2), splice(2) with sockets: from a file to a stream and from a stream to a pipe.
#include "check.h"

#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>

int main(void) {
    int s[2], ends[2];
    char text[64];
    CHECK_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s));
    CHECK_OK(pipe2(ends, O_NONBLOCK));
    int file = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(file, "0123456789", 10), 10);
    off_t offset = 2;
    CHECK_EQ(sendfile(s[0], file, &offset, 5), 5);
    CHECK_EQ(offset, 7);
    CHECK_EQ(splice(s[1], NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK), 5);
    CHECK_EQ(read(ends[0], text, sizeof text), 5);
    CHECK_EQ(memcmp(text, "23456", 5), 0);
    CHECK_EQ(write(ends[1], "from the pipe", 13), 13);
    CHECK_EQ(splice(ends[0], NULL, s[0], NULL, 100, 0), 13);
    struct iovec in[] = {{text, 4}, {text + 32, 20}};
    CHECK_EQ(readv(s[1], in, 2), 13);
    CHECK(memcmp(text, "from", 4) == 0 && memcmp(text + 32, " the pipe", 9) == 0);
    struct iovec out[] = {{"two ", 4}, {"parts", 5}};
    CHECK_EQ(writev(s[1], out, 2), 9);
    CHECK_EQ(recv(s[0], text, sizeof text, 0), 9);
    CHECK_ERR(splice(s[1], NULL, ends[1], NULL, 100, SPLICE_F_NONBLOCK), EAGAIN);
    CHECK_ERR(splice(s[1], &offset, ends[1], NULL, 100, 0), EINVAL);
    CHECK_ERR(splice(s[1], NULL, s[0], NULL, 100, 0), EINVAL);
    CHECK_ERR(sendfile(file, s[0], &offset, 5), ESPIPE);
    in[0].iov_base = (void *)8;
    CHECK_EQ(write(s[1], "x", 1), 1);
    CHECK_ERR(readv(s[0], in, 2), EFAULT);
    close(s[1]);
    CHECK_EQ(splice(s[0], NULL, ends[1], NULL, 100, 0), 1);
    CHECK_EQ(splice(s[0], NULL, ends[1], NULL, 100, 0), 0);
    return CHECK_DONE();
}
