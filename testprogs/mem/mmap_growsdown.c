// A MAP_GROWSDOWN mapping grows when the page below it is touched, by the program or by a system
// call, but not into the guard gap of 256 pages above its neighbour. mmap(2).
#include "mem/mem.h"

#define WINDOW 2048

int main(void) {
    char *window = map_pages(WINDOW, PROT_NONE);
    CHECK_OK(munmap(window, WINDOW * PAGE));
    char *p = window + (WINDOW - 1) * PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN;
    CHECK_EQ(mmap(p, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0), p);
    p[0] = 't';

    p[-1] = 'u';
    CHECK_EQ(p[-1], 'u');
    CHECK_EQ(p[-PAGE], 0);

    // Pages in between come along, and the kernel's own touch grows it as well.
    p[-20 * (long)PAGE] = 'v';
    CHECK_STR(rights(p - 20 * PAGE, 22), "wwwwwwwwwwwwwwwwwwwww.");
    CHECK(writable(p - 30 * PAGE));
    CHECK_STR(rights(p - 30 * PAGE, 11), "wwwwwwwwwww");
    CHECK_EQ(p[0], 't');

    // PROT_GROWSDOWN extends the change to the start of such a mapping, and needs one.
    CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_GROWSDOWN));
    CHECK_STR(rights(p - 3 * PAGE, 4), "rrrr");
    CHECK_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE | PROT_GROWSDOWN));
    CHECK_STR(rights(p - 3 * PAGE, 4), "wwww");

    char *neighbour = p - 400 * PAGE;
    flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
    CHECK_EQ(mmap(neighbour, PAGE, PROT_READ, flags, -1, 0), neighbour);
    CHECK_ERR(mprotect(neighbour, PAGE, PROT_READ | PROT_GROWSDOWN), EINVAL);
    CHECK(writable(neighbour + 258 * PAGE));
    CHECK(!readable(neighbour + 100 * PAGE));
    CHECK_ERR(write(probe_pipe(1), neighbour + 200 * PAGE, 1), EFAULT);
    return CHECK_DONE();
}
