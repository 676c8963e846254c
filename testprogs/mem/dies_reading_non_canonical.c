// A load from a non-canonical address is a general protection fault: SIGSEGV.
#include "mem/mem.h"

int main(void) {
    volatile char *volatile non_canonical = (volatile char *)0x8000000000000000;
    CHECK_ERR(write(probe_pipe(1), (char *)non_canonical, 1), EFAULT);
    CHECK_EQ(write(probe_pipe(1), "x", 1), 1);
    CHECK_ERR(read(probe_pipe(0), (char *)non_canonical, 1), EFAULT);
    CHECK_ERR(mprotect((char *)non_canonical, PAGE, PROT_READ), ENOMEM);
    CHECK_ERR(unlink((char *)non_canonical), EFAULT);
    CHECK_DEATH(SIGSEGV, (void)*non_canonical);
}
