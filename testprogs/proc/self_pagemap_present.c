// /proc/self/pagemap has a word for each page: bit 63 says whether it is in memory.
#include "self.h"

int main(void) {
    int fd = open("/proc/self/pagemap", O_RDONLY);
    char *pages = mmap(NULL, 64 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_OK(madvise(pages, 64 * 4096, MADV_NOHUGEPAGE));
    uint64_t words[64];
    off_t at = (off_t)pages / 4096 * 8;
    CHECK_EQ(pread(fd, words, sizeof words, at), sizeof words);
    int present = 0;
    for (int i = 0; i < 64; i++)
        present += words[i] >> 63;
    CHECK_EQ(present, 0);
    pages[0] = pages[5 * 4096] = pages[63 * 4096] = 1;
    CHECK_EQ(pread(fd, words, sizeof words, at), sizeof words);
    for (int i = 0; i < 64; i++)
        present += words[i] >> 63;
    CHECK(present == 3 && words[0] >> 63 && words[5] >> 63 && words[63] >> 63);
    CHECK_EQ(lseek(fd, at + 40, SEEK_SET), at + 40);
    CHECK(read(fd, words, 16) == 16 && words[0] >> 63 == 1 && words[1] >> 63 == 0);
    CHECK_OK(munmap(pages, 4096));
    CHECK(pread(fd, words, 8, at) == 8 && words[0] == 0);
    CHECK(pread(fd, words, 16, 0) == 16 && words[0] == 0 && words[1] == 0);
    CHECK_ERR(pread(fd, words, 7, at), EINVAL);
    CHECK_ERR(pread(fd, words, 8, at + 4), EINVAL);
    CHECK_EQ(pread(fd, words, 8, 0x7ffffffff000 / 4096 * 8), 0);
    return CHECK_DONE();
}
