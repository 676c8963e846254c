// lseek(2) SEEK_DATA and SEEK_HOLE on a sparse file: the end of the file is always a hole.
#include "check.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { FAR = 1 << 20 };

int main(void) {
    int fd = CHECK_OK(open("sparse", O_CREAT | O_RDWR, 0600));
    CHECK_ERR(lseek(fd, 0, SEEK_DATA), ENXIO);
    CHECK_ERR(lseek(fd, 0, SEEK_HOLE), ENXIO);
    CHECK_OK(ftruncate(fd, FAR));
    CHECK_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    CHECK_EQ(pwrite(fd, "data", 4, FAR), 4);
    CHECK_OK(fsync(fd));

    // A file system without holes may say that everything is data.
    off_t data = CHECK_OK(lseek(fd, 0, SEEK_DATA));
    CHECK(data == 0 || data == FAR);
    CHECK_EQ(lseek(fd, FAR + 1, SEEK_DATA), FAR + 1);
    CHECK_EQ(lseek(fd, FAR, SEEK_HOLE), FAR + 4);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), FAR + 4);
    CHECK_ERR(lseek(fd, FAR + 4, SEEK_DATA), ENXIO);
    CHECK_ERR(lseek(fd, FAR + 4, SEEK_HOLE), ENXIO);
    CHECK_ERR(lseek(fd, -1, SEEK_DATA), ENXIO);
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), FAR + 4);

    struct stat st;
    CHECK_OK(fstat(fd, &st));
    CHECK_EQ(st.st_size, FAR + 4);
    char byte = 'x';
    CHECK_EQ(pread(fd, &byte, 1, FAR / 2), 1);
    CHECK_EQ(byte, 0);
    return CHECK_DONE();
}
