// process_vm_readv(2), process_vm_writev(2) on one's own memory: scattered copies, partial at a fault.
#include "check.h"

#include <sys/mman.h>
#include <sys/uio.h>

int main(void) {
    char *pages = CHECK_OK((char *)mmap(NULL, 8192, PROT_READ | PROT_WRITE,
                                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    CHECK_OK(munmap(pages + 4096, 4096));
    char from[] = "remote memory", to[16] = "", *edge = pages + 4096;
    pid_t self = getpid();
    struct iovec local[] = {{to, 3}, {to + 8, 8}};
    struct iovec remote[] = {{from, 6}, {from + 7, 6}};
    if (process_vm_readv(self, local, 2, remote, 2, 0) == -1 && errno == ENOSYS)
        SKIP("a kernel without CONFIG_CROSS_MEMORY_ATTACH");
    CHECK_EQ(process_vm_readv(self, local, 2, remote, 2, 0), 11);
    CHECK_EQ(memcmp(to, "rem\0\0\0\0\0otememor", 16), 0);
    CHECK_EQ(process_vm_writev(self, local, 1, remote, 1, 0), 3);
    local[0] = (struct iovec){"NEW", 3};
    CHECK_EQ(process_vm_writev(self, local, 1, remote, 1, 0), 3);
    CHECK_STR(from, "NEWote memory");
    local[0] = (struct iovec){to, 16};
    remote[0] = (struct iovec){edge, 1};
    CHECK_ERR(process_vm_readv(self, local, 1, remote, 1, 0), EFAULT);
    remote[0] = (struct iovec){edge - 4, 4};
    remote[1] = (struct iovec){edge, 4};
    CHECK_EQ(process_vm_readv(self, local, 1, remote, 2, 0), 4);
    CHECK_EQ(process_vm_readv(self, local, 0, remote, 1, 0), 0);
    CHECK_ERR(process_vm_readv(self, local, 1, remote, 1, 1), EINVAL);
    CHECK_ERR(process_vm_readv(self, local, 1025, remote, 1, 0), EINVAL);
    CHECK_ERR(process_vm_readv(0x3fffffff, local, 1, remote, 1, 0), ESRCH);
    CHECK_ERR(process_vm_readv(self, (void *)8, 1, remote, 1, 0), EFAULT);
    return CHECK_DONE();
}
