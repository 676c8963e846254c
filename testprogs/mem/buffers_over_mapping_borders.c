// One buffer over mappings of different kinds is one buffer to a system call. read(2), write(2).
#include "mem/mem.h"

int main(void) {
    int fd = file_of_pages("f", 4);
    int memory = CHECK_OK(memfd_create("sink", 0));
    CHECK_OK(ftruncate(memory, 8 * PAGE));

    // Anonymous, private file, shared memory, anonymous with other rights next to each other.
    char *p = map_pages(8, PROT_READ | PROT_WRITE);
    memset(p, 'p', 8 * PAGE);
    int protection = PROT_READ | PROT_WRITE;
    CHECK_OK(mmap(p + 2 * PAGE, 2 * PAGE, protection, MAP_PRIVATE | MAP_FIXED, fd, PAGE));
    CHECK_OK(mmap(p + 4 * PAGE, 2 * PAGE, protection, MAP_SHARED | MAP_FIXED, memory, 0));
    CHECK_OK(mprotect(p + 6 * PAGE, 2 * PAGE, PROT_READ));
    memcpy(p + 4 * PAGE, "shared", 6);

    // Out: what the program sees is what arrives, whole pages and odd ends.
    int sink = CHECK_OK(memfd_create("sink", 0));
    CHECK_EQ(write(sink, p + 100, 8 * PAGE - 200), 8 * PAGE - 200);
    char *arrived = CHECK_OK(mmap(NULL, 8 * PAGE, PROT_READ, MAP_SHARED, sink, 0));
    CHECK(memcmp(arrived, p + 100, 8 * PAGE - 200) == 0);

    // In: up to the page that may not be written.
    char *q = map_pages(8, PROT_READ | PROT_WRITE);
    for (size_t i = 0; i < 8 * PAGE; i++)
        q[i] = (char)(i * 7 + i / PAGE);
    CHECK_EQ(pwrite(sink, q, 8 * PAGE, 0), 8 * PAGE);
    CHECK_EQ(pread(sink, p, 6 * PAGE, 0), 6 * PAGE);
    CHECK(memcmp(p, q, 6 * PAGE) == 0);
    CHECK_EQ(pread(sink, p + PAGE - 3, 8 * PAGE, 1), 5 * PAGE + 3);
    CHECK(memcmp(p + PAGE - 3, q + 1, 5 * PAGE + 3) == 0);
    CHECK(filled(p + 6 * PAGE, 2 * PAGE, 'p'));
    CHECK_ERR(pread(sink, p + 6 * PAGE, 1, 0), EFAULT);

    // The private file pages were copied, the shared ones are the object.
    char byte = 0;
    CHECK_EQ(pread(fd, &byte, 1, PAGE), 1);
    CHECK_EQ(byte, 'b');
    CHECK_EQ(pread(memory, &byte, 1, 0), 1);
    CHECK_EQ(byte, p[4 * PAGE]);
    return CHECK_DONE();
}
