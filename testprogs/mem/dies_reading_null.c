// Address 0 and its neighbourhood are not mapped: SIGSEGV. mmap(2).
#include "mem/mem.h"

int main(void) {
    volatile char *volatile null = NULL;
    CHECK(!readable(NULL));
    CHECK(!readable((char *)4095));
    CHECK_ERR(write(probe_pipe(1), (char *)null, 1), EFAULT);
    CHECK_ERR(open((char *)null, O_RDONLY), EFAULT);
    CHECK_ERR(mprotect(NULL, PAGE, PROT_READ), ENOMEM);
    CHECK_OK(munmap(NULL, PAGE));
    CHECK_DEATH(SIGSEGV, (void)null[8]);
}
