// Nobody without CAP_SYS_RAWIO maps address 0; a low hint is moved up. proc_sys_vm(5).
#include "mem/mem.h"

int main(void) {
    drop_capabilities();
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, flags | MAP_FIXED, -1, 0), EPERM);
    CHECK_ERR(syscall(SYS_mmap, NULL, PAGE, PROT_READ, flags | MAP_FIXED_NOREPLACE, -1, 0), EPERM);
    CHECK_ERR(syscall(SYS_mmap, NULL, 4 * PAGE, PROT_READ, flags | MAP_FIXED, -1, 0), EPERM);
    CHECK_OK(munmap(NULL, PAGE));
    CHECK_ERR(mprotect(NULL, PAGE, PROT_READ), ENOMEM);

    char *p = map_pages(1, PROT_READ | PROT_WRITE);
    *p = 'm';
    CHECK_ERR(mremap(p, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, NULL), EPERM);
    CHECK_EQ(*p, 'm');

    char *low = CHECK_OK(mmap((void *)1, PAGE, PROT_READ, flags, -1, 0));
    CHECK(low != NULL);
    CHECK(!readable(NULL));
    CHECK(!readable((char *)8));
    return CHECK_DONE();
}
