// fallocate(2): plain and KEEP_SIZE, PUNCH_HOLE where the file system has it, and the refusals.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { BLOCK = 65536 };

static off_t size_of(int fd) {
    struct stat st;
    return fstat(fd, &st) == 0 ? st.st_size : -1;
}

int main(void) {
    int fd = CHECK_OK(open("file", O_CREAT | O_RDWR, 0600));
    if (fallocate(fd, 0, 0, BLOCK) != 0 && errno == EOPNOTSUPP)
        SKIP("the file system has no fallocate");
    CHECK_EQ(size_of(fd), BLOCK);
    CHECK_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, BLOCK, BLOCK));
    CHECK_EQ(size_of(fd), BLOCK);
    CHECK_OK(fallocate(fd, 0, 3 * BLOCK, 5));
    CHECK_EQ(size_of(fd), 3 * BLOCK + 5);
    CHECK_OK(posix_fallocate(fd, 0, BLOCK));

    static char full[BLOCK], back[BLOCK];
    memset(full, 'f', sizeof full);
    CHECK_EQ(pwrite(fd, full, BLOCK, 0), BLOCK);
    if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, 50000) == 0) {
        CHECK_EQ(pread(fd, back, BLOCK, 0), BLOCK);
        CHECK(back[99] == 'f' && back[100] == 0 && back[50099] == 0 && back[50100] == 'f');
        CHECK_EQ(size_of(fd), 3 * BLOCK + 5);
    } else {
        NOTE("PUNCH_HOLE: %s", check_errno_name(errno));
    }
    CHECK_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, BLOCK), EOPNOTSUPP);
    CHECK_ERR(fallocate(fd, 1 << 30, 0, BLOCK), EOPNOTSUPP);

    CHECK_ERR(fallocate(fd, 0, -1, BLOCK), EINVAL);
    CHECK_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    CHECK_ERR(fallocate(fd, 0, 0, -1), EINVAL);
    CHECK_ERR(fallocate(fd, 0, INT64_MAX, BLOCK), EFBIG);
    CHECK_ERR(fallocate(99, 0, 0, BLOCK), EBADF);
    int ends[2];
    CHECK_OK(pipe(ends));
    CHECK_ERR(fallocate(ends[1], 0, 0, BLOCK), ESPIPE);
    CHECK_ERR(fallocate(ends[0], 0, 0, BLOCK), EBADF);
    int read_only = CHECK_OK(open("file", O_RDONLY));
    CHECK_ERR(fallocate(read_only, 0, 0, BLOCK), EBADF);
    return CHECK_DONE();
}
