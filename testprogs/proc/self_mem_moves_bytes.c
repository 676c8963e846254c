// /proc/self/mem reads and writes memory by address, whatever its protection; holes are EIO.
#include "self.h"

#include <sys/uio.h>

static const char constant[64] = "what stands in read-only data";
static char variable[16] = "before";

int main(void) {
    int fd = open("/proc/self/mem", O_RDWR);
    char buffer[8192] = "";
    CHECK_EQ(pread(fd, buffer, 16, (off_t)constant), 16);
    CHECK(memcmp(buffer, constant, 16) == 0);
    CHECK_EQ(pwrite(fd, "after!!", 8, (off_t)variable), 8);
    CHECK_STR(variable, "after!!");
    CHECK_EQ(lseek(fd, (off_t)variable, SEEK_SET), (off_t)variable);
    CHECK_EQ(read(fd, buffer, 3), 3);
    CHECK_EQ(read(fd, buffer + 3, 5), 5);
    CHECK_STR(buffer, "after!!");
    CHECK_EQ(lseek(fd, 0, SEEK_CUR), (off_t)variable + 8);
    CHECK_EQ(lseek(fd, -8, SEEK_CUR), (off_t)variable);
    CHECK_EQ(write(fd, "X", 1), 1);
    CHECK_STR(variable, "Xfter!!");
    struct iovec pieces[2] = {{buffer, 2}, {buffer + 100, 6}};
    CHECK_EQ(preadv(fd, pieces, 2, (off_t)variable), 8);
    CHECK(memcmp(buffer, "Xf", 2) == 0 && strcmp(buffer + 100, "ter!!") == 0);

    // Protection does not matter to private memory.
    char *pages = mmap(NULL, 4 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(pages, 'a', 4 * 4096);
    CHECK_OK(mprotect(pages, 4096, PROT_READ));
    CHECK_EQ(pwrite(fd, "b", 1, (off_t)pages + 5), 1);
    CHECK_EQ(pages[5], 'b');
    CHECK_OK(mprotect(pages, 4096, PROT_NONE));
    CHECK_EQ(pread(fd, buffer, 8, (off_t)pages + 1), 8);
    CHECK(memcmp(buffer, "aaaabaaa", 8) == 0);
    // A hole ends the transfer.
    CHECK_OK(munmap(pages + 2 * 4096, 4096));
    CHECK_EQ(pread(fd, buffer, 8192, (off_t)pages + 4096), 4096);
    CHECK_ERR(pread(fd, buffer, 1, (off_t)pages + 2 * 4096), EIO);
    CHECK_ERR(pwrite(fd, buffer, 1, (off_t)pages + 2 * 4096), EIO);
    CHECK_ERR(pread(fd, buffer, 1, 0), EIO);
    CHECK_ERR(pread(fd, buffer, 1, 0x7ffffffff000), EIO);
    CHECK_EQ(pread(fd, buffer, 0, 0), 0);
    CHECK_ERR(pread(fd, (void *)4096, 8, (off_t)variable), EFAULT);
    int reader = open("/proc/self/mem", O_RDONLY);
    CHECK_ERR(pwrite(reader, "x", 1, (off_t)variable), EBADF);
    // Shared memory that may not be written stays as it is.
    int file = open("file", O_RDWR | O_CREAT, 0600);
    CHECK_OK(ftruncate(file, 4096));
    int read_only = open("file", O_RDONLY);
    char *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, read_only, 0);
    CHECK_ERR(pwrite(fd, "x", 1, (off_t)shared), EIO);
    CHECK_EQ(pread(fd, buffer, 1, (off_t)shared), 1);
    char *private = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, read_only, 0);
    CHECK_EQ(pwrite(fd, "x", 1, (off_t)private), 1);
    CHECK(private[0] == 'x' && shared[0] == 0);
    return CHECK_DONE();
}
