// Calling address 0 is a fault of the fetch: SIGSEGV. signal(7).
#include "mem/mem.h"

int main(void) {
    void (*volatile function)(void) = NULL;
    char *p = map_pages(1, PROT_READ | PROT_WRITE);
    CHECK(!readable(NULL));
    CHECK(readable(p));
    CHECK_OK(munmap(p, PAGE));
    CHECK(!readable(p));
    CHECK_ERR(write(probe_pipe(1), p, 1), EFAULT);
    CHECK_DEATH(SIGSEGV, function());
}
