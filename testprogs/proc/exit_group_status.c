// exit_group(2): ends at once with the low eight bits of the status.
#include "check.h"

#include <fcntl.h>
#include <sys/syscall.h>

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    FILE *stream = fdopen(fd, "w");
    CHECK(stream != NULL);
    CHECK_EQ(fputs("never written", stream) >= 0, 1);
    CHECK_EQ(lseek(fd, 0, SEEK_END), 0);
    CHECK_ERR(lseek(99, 0, SEEK_END), EBADF);
    (void)CHECK_DONE();
    syscall(SYS_exit_group, -1);
    return 1;
}
