// set_mempolicy(2), get_mempolicy(2) and mbind(2) on the one node that every machine has.
#include "check.h"

#include <sys/mman.h>
#include <sys/syscall.h>

enum { DEFAULT, PREFERRED, BIND };

int main(void) {
    int mode = 99;
    unsigned long nodes[16] = {0};
    if (syscall(SYS_get_mempolicy, &mode, NULL, 0, NULL, 0) == -1) {
        NOTE("this kernel has no memory policies, or does not allow them: %m");
        return 0;
    }
    CHECK_EQ(mode, DEFAULT);
    CHECK_OK(syscall(SYS_get_mempolicy, NULL, nodes, 1024, NULL, 4));
    CHECK(nodes[0] & 1);
    unsigned long first = 1;
    CHECK_OK(syscall(SYS_set_mempolicy, BIND, &first, 64));
    CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, 1024, NULL, 0));
    CHECK(mode == BIND && nodes[0] == 1);
    CHECK_OK(syscall(SYS_set_mempolicy, DEFAULT, NULL, 0));
    CHECK_ERR(syscall(SYS_set_mempolicy, 77, &first, 64), EINVAL);
    CHECK_ERR(syscall(SYS_set_mempolicy, BIND, (void *)8, 64), EFAULT);
    CHECK_ERR(syscall(SYS_get_mempolicy, (void *)8, NULL, 0, NULL, 0), EFAULT);

    char *memory = mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK_OK(syscall(SYS_mbind, memory, 4 * 4096, PREFERRED, &first, 64, 0));
    CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, 1024, memory + 4096, 2));
    CHECK(mode == PREFERRED && nodes[0] == 1);
    CHECK_OK(syscall(SYS_get_mempolicy, &mode, nodes, 1024, memory + 5 * 4096, 2));
    CHECK_EQ(mode, DEFAULT);
    memset(memory, 1, 8 * 4096);
    CHECK_OK(syscall(SYS_get_mempolicy, &mode, NULL, 0, memory, 3));
    CHECK_EQ(mode, 0);
    CHECK_ERR(syscall(SYS_mbind, memory + 1, 4096, PREFERRED, &first, 64, 0), EINVAL);
    CHECK_ERR(syscall(SYS_mbind, memory, 4096, 77, &first, 64, 0), EINVAL);
    CHECK_ERR(syscall(SYS_mbind, memory, 4096, BIND, (void *)8, 64, 0), EFAULT);
    CHECK_EQ(syscall(SYS_mbind, memory, 0, PREFERRED, &first, 64, 0), 0);
    CHECK_OK(munmap(memory + 4096, 4096));
    CHECK_ERR(syscall(SYS_mbind, memory, 3 * 4096, PREFERRED, &first, 64, 0), EFAULT);
    CHECK_ERR(syscall(SYS_get_mempolicy, &mode, NULL, 0, memory + 4096, 2), EFAULT);
    return CHECK_DONE();
}
