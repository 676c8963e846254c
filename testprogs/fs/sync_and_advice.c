// fsync(2), fdatasync(2), syncfs(2), sync_file_range(2), posix_fadvise(2), readahead(2): accepted on a
// file, refused on a pipe.
#include "check.h"

#include <fcntl.h>
#include <sys/syscall.h>

int main(void) {
    int ends[2];
    CHECK_OK(pipe(ends));
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    CHECK_EQ(write(fd, "durable", 7), 7);
    CHECK_OK(fsync(fd));
    CHECK_OK(fdatasync(fd));
    CHECK_OK(syncfs(fd));
    CHECK_OK(sync_file_range(fd, 0, 7,
                             SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                                 SYNC_FILE_RANGE_WAIT_AFTER));
    CHECK_OK(sync_file_range(fd, 0, 0, 0));
    CHECK_ERR(fsync(99), EBADF);
    CHECK_ERR(fsync(ends[0]), EINVAL);
    CHECK_ERR(fdatasync(ends[0]), EINVAL);
    CHECK_ERR(syncfs(99), EBADF);
    CHECK_ERR(sync_file_range(fd, -1, 1, SYNC_FILE_RANGE_WRITE), EINVAL);
    CHECK_ERR(sync_file_range(fd, 0, 1, 64), EINVAL);
    CHECK_ERR(sync_file_range(ends[0], 0, 1, SYNC_FILE_RANGE_WRITE), ESPIPE);
    int dir = CHECK_OK(open(".", O_RDONLY));
    CHECK_OK(fsync(dir));

    for (int advice = POSIX_FADV_NORMAL; advice <= POSIX_FADV_NOREUSE; advice++)
        CHECK_OK(syscall(SYS_fadvise64, fd, 0L, 0L, advice));
    CHECK_ERR(syscall(SYS_fadvise64, fd, 0L, 0L, 99), EINVAL);
    CHECK_ERR(syscall(SYS_fadvise64, fd, 0L, -1L, POSIX_FADV_NORMAL), EINVAL);
    CHECK_ERR(syscall(SYS_fadvise64, 99, 0L, 0L, POSIX_FADV_NORMAL), EBADF);
    CHECK_ERR(syscall(SYS_fadvise64, ends[0], 0L, 0L, POSIX_FADV_NORMAL), ESPIPE);
    CHECK_EQ(posix_fadvise(ends[0], 0, 0, POSIX_FADV_NORMAL), ESPIPE);

    CHECK_OK(readahead(fd, 0, 4096));
    CHECK_ERR(readahead(99, 0, 4096), EBADF);
    CHECK_ERR(readahead(ends[0], 0, 4096), EINVAL);
    int write_only = CHECK_OK(open("file", O_WRONLY));
    CHECK_ERR(readahead(write_only, 0, 4096), EBADF);
    return CHECK_DONE();
}
