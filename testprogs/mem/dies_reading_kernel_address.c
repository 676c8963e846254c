// The upper half belongs to the kernel: a load from it is SIGSEGV, a system call says EFAULT.
#include "mem/mem.h"

int main(void) {
    volatile char *volatile kernel = (volatile char *)0xffffffff81000000;
    CHECK(!readable((char *)kernel));
    CHECK(!readable((char *)0xffff888000000000));
    CHECK(!readable((char *)0xffffffffff600000));
    CHECK_ERR(write(probe_pipe(1), (char *)kernel, 1), EFAULT);
    CHECK_ERR(open((char *)kernel, O_RDONLY), EFAULT);
    CHECK_DEATH(SIGSEGV, (void)*kernel);
}
