// write(2), exit(3): a closed stdout is an error and not a crash; what stdio still holds goes out at exit.
#include "check.h"

#include <fcntl.h>

int main(void) {
    char byte;
    CHECK_EQ(write(2, "to standard error\n", 18), 18);
    fprintf(stderr, "%s is not buffered\n", "standard error");
    CHECK_EQ(setvbuf(stdout, NULL, _IOLBF, 0), 0);
    CHECK(puts("a whole line goes out at once") >= 0);
    int saved = CHECK_OK(dup(1));
    close(1);
    ssize_t wrote = write(1, "x", 1);
    int error = errno;
    int put = printf("into nothing\n");
    int put_error = errno;
    int lowest = open("file", O_CREAT | O_RDWR, 0600);
    ssize_t redirected = write(1, "to the file", 11);
    dup2(saved, 1);
    CHECK_EQ(wrote, -1);
    CHECK_EQ(error, EBADF);
    CHECK_EQ(put, -1);
    CHECK_EQ(put_error, EBADF);
    CHECK_EQ(lowest, 1);
    CHECK_EQ(redirected, 11);
    CHECK_ERR(read(99, &byte, 1), EBADF);
    clearerr(stdout);
    fputs("left in the buffer, written by exit\n", stdout);
    perror("perror names the last error");
    return CHECK_DONE();
}
